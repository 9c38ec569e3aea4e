"""What was found when something was looked at. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Literal["ok", "warn", "fail"]
    topic: str
    found: str
    todo: str = ""
    """What to do about it; empty where that is nothing."""


def ok(topic: str, found: str) -> Finding:
    """Return that a thing is as it should be."""
    return Finding(level="ok", topic=topic, found=found)


def warn(topic: str, found: str, todo: str) -> Finding:
    """Return that a thing works, or may, and deserves a look."""
    return Finding(level="warn", topic=topic, found=found, todo=todo)


def fail(topic: str, found: str, todo: str) -> Finding:
    """Return that a thing does not work."""
    return Finding(level="fail", topic=topic, found=found, todo=todo)
