"""The ways without the package: a call in the request, a background sender, a task per event."""

from importlib import import_module
from queue import SimpleQueue
from threading import Thread
from typing import Any

from django.conf import settings
from pusher import Pusher


def make_client() -> Pusher:
    return Pusher(
        app_id=settings.PUSHER_APP_ID,
        key=settings.PUSHER_KEY,
        secret=settings.PUSHER_SECRET,
        host=settings.PUSHER_HOST,
        port=int(settings.PUSHER_PORT),
        ssl=False,
    )


client = make_client()


class Floor:
    """A queue, a thread, the official client, and whatever waits in one batch.

    It waits for no commit, loses what waits at an exit or a fork, grows without bounds, and ends at
    the first error: it is here to show what the least is that a background sender costs.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._client = make_client()
        Thread(target=self._run, daemon=True).start()

    def trigger(self, channels: list[str], name: str, data: Any) -> None:
        for channel in channels:
            self._queue.put({"channel": channel, "name": name, "data": data})

    def _run(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < 10 and not self._queue.empty():
                batch.append(self._queue.get())
            self._client.trigger_batch(batch)


floor = Floor()


class Enqueuer:
    """A task per event; the module that has it is imported late, as its queue may be missing."""

    def __init__(self, queue: str) -> None:
        self._module = f"benchmarks.project.by_{queue}"

    def trigger(self, channels: list[str], name: str, data: Any) -> None:
        import_module(self._module).enqueue(channels, name, dict(data))
