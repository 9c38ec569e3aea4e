"""The development server, ``pusher_dev_server``, with a Django project's settings."""
