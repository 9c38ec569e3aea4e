"""For ASGI servers: what waits is sent before the server ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from drf_model_pusher.delivery import get_delivery

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def flush_at_shutdown(application: Application) -> Application:
    """Return the application, which now sends what waits when the server shuts down.

    uvicorn ends a process by the signal that stopped it, so that nothing else of it runs after the
    shutdown that ASGI's lifespan protocol tells of; Django itself does not listen to that.
    """

    async def flushing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return
        answered = False

        async def flush_first(message: Message) -> None:
            nonlocal answered
            answered = True
            if message["type"].startswith("lifespan.shutdown"):
                await asyncio.to_thread(get_delivery().flush)
            await send(message)

        try:
            await application(scope, receive, flush_first)
        except Exception:
            if answered:
                raise
            # As Django does with what it does not know.
            await _live(receive, flush_first)

    return flushing


async def _live(receive: Receive, send: Send) -> None:
    """Speak the lifespan protocol for an application that does not."""
    kind = ""
    while kind != "lifespan.shutdown":
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
