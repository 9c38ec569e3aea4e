"""One task of Django Tasks per event, enqueued in the database."""

from benchmarks.project.senders import client

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task


@task
def send(channels, name, data):
    client.trigger(channels, name, data)


enqueue = send.enqueue
