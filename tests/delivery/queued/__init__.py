"""A project that enqueues what it pushes, set up as the manuals of Celery and Django Tasks say."""

from tests.delivery.queued.celery import app

__all__ = ["app"]
