"""ASGI's lifespan protocol, for an application that may not speak it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def live(
    application: ASGIApp | None,
    scope: Scope,
    receive: Receive,
    send: Send,
    on_shutdown: Callable[[], Awaitable[None]],
) -> None:
    """Run an application's lifespan; await ``on_shutdown`` before its end is reported.

    An application that raises at this scope, as Django's does, has no start-up and no shutdown.
    """
    has_answered = False

    async def answer(message: Message) -> None:
        nonlocal has_answered
        has_answered = True
        if message["type"].startswith("lifespan.shutdown"):
            await on_shutdown()
        await send(message)

    if application is not None:
        try:
            await application(scope, receive, answer)
        except Exception:
            if has_answered:
                raise
        else:
            return
    for _ in range(2):
        kind = (await receive())["type"]
        await answer({"type": f"{kind}.complete"})
