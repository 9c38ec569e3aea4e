"""A Pusher Channels server in one process, for development and tests."""
