"""Moves: updates that take an object out of some channels and into others. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """Where an object was heard of before its update, and what it was known by."""

    channels: Sequence[str]
    """Full channel names."""

    key: Mapping[str, Any]
    """What a deletion says of it to those who may not read what it has become."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """What an update means to each channel; each list keeps its order."""

    left: Sequence[str]
    """Those that lose the object."""

    joined: Sequence[str]
    """Those that gain it."""

    @classmethod
    def between(cls, before: Sequence[str], after: Sequence[str]) -> Move:
        """Return the difference of two lists of channels."""
        return cls(
            left=[channel for channel in before if channel not in after],
            joined=[channel for channel in after if channel not in before],
        )
