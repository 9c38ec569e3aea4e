"""ASGI's lifespan protocol, for applications that speak it and for those that do not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

# Any, since the stubs of Django, Starlette and asgiref each have another type for the same thing.
Scope = Any
Message = Any
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


async def live(
    application: Application | None,
    scope: Scope,
    receive: Receive,
    send: Send,
    at_shutdown: Callable[[], Awaitable[object]],
) -> None:
    """Let an application live, and do something of one's own before it says that it is shut down.

    Args:
        application: What is served; None, or one that raises at this scope as Django does, has
            nothing to do when it starts and ends.
        scope: Of the type ``lifespan``.
        receive: As the ASGI server gave it.
        send: As the ASGI server gave it.
        at_shutdown: Awaited when the application has ended.
    """
    answered = False

    async def answer(message: Message) -> None:
        nonlocal answered
        answered = True
        if message["type"].startswith("lifespan.shutdown"):
            await at_shutdown()
        await send(message)

    if application is not None:
        try:
            await application(scope, receive, answer)
        except Exception:
            if answered:
                raise
        else:
            return
    kind = ""
    while kind != "lifespan.shutdown":
        kind = (await receive())["type"]
        await answer({"type": f"{kind}.complete"})
