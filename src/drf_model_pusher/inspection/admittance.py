"""Who decides about a channel, and what the answer to a user would be, in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.exceptions import ModelPusherException
from drf_model_pusher.inspection.clients import refusal
from drf_model_pusher.registry import registry
from drf_model_pusher.rules import ChannelRules


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What is known of subscriptions to a channel."""

    channel: str
    public: bool
    """Whether anybody may, without being asked."""
    deciders: tuple[str, ...] = ()
    """The rules, all of which must grant it."""
    allowed: bool | None = None
    """Whether the user may subscribe; None where none was named."""
    reason: str = ""
    """Why not."""


def verdict(channel: str, user: Any = None) -> Verdict:
    """Return who decides about a channel and, for a user, the answer of the authorization itself.

    Args:
        channel: A full name.
        user: Whom to ask for, as if signed in by the project's own means; None to ask for nobody.
    """
    if ChannelKind.of(channel) is ChannelKind.PUBLIC:
        return Verdict(channel=channel, public=True, allowed=None if user is None else True)
    deciders = tuple(
        f"{type(backend).__qualname__}.{rule}"
        for backend in (backend_class() for backend_class in registry)
        if backend.readings(channel)
        for rule in _rules(backend)
    )
    found = Verdict(channel=channel, public=False, deciders=deciders)
    if user is None:
        return found
    try:
        refused: Exception | None = refusal(user, channel)
    except ModelPusherException as error:
        refused = error
    return replace(found, allowed=refused is None, reason=str(refused or ""))


def _rules(backend: ChannelRules) -> list[str]:
    rules = []
    if backend.view_class is not None:
        rules.append(f"view_class ({backend.view_class.__qualname__})")
    if backend.view_name is not None:
        rules.append(f"view_name ({backend.view_name})")
    if backend.permission_classes is not None:
        # Combined permissions have no name of their own.
        names = [getattr(each, "__qualname__", repr(each)) for each in backend.permission_classes]
        rules.append(f"permission_classes ({', '.join(names) or 'none: everybody'})")
    if backend.permits_by_itself():
        rules.append("has_channel_permission()")
    return rules
