"""Happenings as lines that a person reads in a terminal. Pure."""

from __future__ import annotations

from drf_model_pusher.server.happening import Happening

#: Characters of a payload that are shown.
SHOWN = 500


def describe(happening: Happening) -> str:
    """Return one line: what happened, where, and with which data."""
    details = [happening.channel, happening.event, _short(happening.data or "")]
    if happening.user_id is not None:
        details.append(f"user={happening.user_id}")
    if happening.socket_id is not None:
        details.append(f"socket={happening.socket_id}")
    line = " ".join(detail for detail in details if detail)
    return _printable(f"[{happening.app_id}] {happening.kind.value:<12} {line}")


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def _printable(text: str) -> str:
    """Escape what a client could send to steer the terminal, and what cannot be encoded."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )
