"""The outbox: events are committed with the change, and sent until the service has them."""
