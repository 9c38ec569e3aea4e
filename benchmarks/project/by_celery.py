"""One Celery task per event, as its manual for Django says; the broker is Redis."""

import os

from celery import Celery

from benchmarks.project.senders import client

BROKER = os.environ.get("BENCHMARK_BROKER", "redis://127.0.0.1:6379/0")
PREFIX = f"{os.environ['BENCHMARK_POSTGRESQL']}:"  # what else is in Redis is not ours

app = Celery("benchmarks", broker=BROKER)
app.conf.broker_transport_options = {"global_keyprefix": PREFIX}


@app.task(ignore_result=True)
def send(channels, name, data):
    client.trigger(channels, name, data)


enqueue = send.delay
