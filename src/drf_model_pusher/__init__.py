"""Keep a Django REST framework API real-time over the Pusher Channels protocol."""
