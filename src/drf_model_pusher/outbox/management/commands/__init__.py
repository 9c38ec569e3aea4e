"""``manage.py pusher_relay`` and ``manage.py pusher_outbox``."""
