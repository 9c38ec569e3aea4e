"""Write transactions, and say which events failed at once."""

import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.delivery.queued.settings"
django.setup()

from django.db import transaction  # noqa: E402

from drf_model_pusher.changes.block import record  # noqa: E402
from drf_model_pusher.events import PusherEvent  # noqa: E402
from drf_model_pusher.signals import event_failed  # noqa: E402


class UndoneError(Exception):
    pass


def push(name):
    record([PusherEvent(channels=("orders",), name=name, data="{}")], "default")


def undo(name):
    try:
        with transaction.atomic():
            push(name)
            raise UndoneError  # noqa: TRY301
    except UndoneError:
        pass


def tell(event, error, **kwargs):
    print("failed", event.name, error, flush=True)  # noqa: T201


event_failed.connect(tell)
for number in range(int(sys.argv[1])):
    undo("undone")
    with transaction.atomic():
        for n in range(25):
            push(f"{number}.{n}")
            undo("undone")
    if sys.argv[2:]:
        print("written", flush=True)  # noqa: T201
        sys.stdin.readline()
