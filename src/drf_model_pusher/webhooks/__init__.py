"""What Pusher tells by webhook.

``views`` takes a webhook: once ``signatures`` trusts its raw body, and ``shapes`` finds sense in
it, the state of ``occupancy`` is kept, and a signal sent for each of its events.
"""
