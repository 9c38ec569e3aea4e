"""Pushing from async code: where rendering and the database's hooks may block, and no loop waits.

Django's ORM runs its async methods in one thread for each request, or one for all code outside
requests, and a transaction belongs to the connection of a thread. So that is where pushes run too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync, sync_to_async
from django.utils.asyncio import async_unsafe

if TYPE_CHECKING:
    from rest_framework.serializers import BaseSerializer


def refuse_in_async_code() -> None:
    """Keep what pushes from being called on the thread of an event loop.

    It would find another connection there than the one that wrote, and so push before a commit, or
    in spite of a rollback.

    Raises:
        SynchronousOnlyOperation: A loop is running, and Django's own setting does not allow it.
    """
    # Django asks in a way that raises and catches an exception, on each call, where none runs.
    if asyncio._get_running_loop() is not None:
        _refuse()


@async_unsafe(
    "You cannot push from async code in this way, where no transaction would be seen: await "
    "apush_change(), apush_changes() or apush(), or use sync_to_async()."
)
def _refuse() -> None:
    """Nothing is to be done where Django's setting allows it."""


async def in_sync_thread(function: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    """Run a function where Django's async ORM runs, and to its end.

    A client that goes away cancels the view's task. A write and its push must not be parted by
    that: the cancellation is raised when they are done.
    """
    work = asyncio.ensure_future(sync_to_async(function)(*args, **kwargs))
    try:
        await asyncio.shield(work)
    finally:
        while not work.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([work])


def awaited_in_sync_code(function: Callable[..., Awaitable[Any]]) -> Callable[..., None]:
    """Return a function for sync code that runs this one on the event loop, and waits for it.

    What it awaits of Django's ORM runs in the very thread that waits.
    """

    async def await_it(*args: Any) -> None:
        await function(*args)

    return async_to_sync(await_it)


def data_of(serializer: BaseSerializer[Any], view: Any) -> Any:
    """Return what a serializer renders, as the views of its kind do: adrf's by its ``adata``."""
    if hasattr(type(serializer), "adata") and getattr(view, "view_is_async", True):
        return async_to_sync(_adata)(serializer)
    return serializer.data


async def _adata(serializer: Any) -> Any:
    return await serializer.adata
