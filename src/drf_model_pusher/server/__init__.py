"""A server of the Pusher Channels protocol, in one process: for newcomers, tests and CI."""
