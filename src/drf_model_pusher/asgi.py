"""For ASGI servers: what waits is sent before the server ends."""

from __future__ import annotations

import asyncio

from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.lifespans import Application, Receive, Scope, Send, live


def flush_at_shutdown(application: Application) -> Application:
    """Return the application, which now sends what waits when the server shuts down.

    uvicorn ends a process by the signal that stopped it, so that nothing else of it runs after the
    shutdown that ASGI's lifespan protocol tells of; Django itself does not listen to that.
    """

    async def flushing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(application, scope, receive, send, _flush)
        else:
            await application(scope, receive, send)

    return flushing


async def _flush() -> None:
    await asyncio.to_thread(get_delivery().flush)
