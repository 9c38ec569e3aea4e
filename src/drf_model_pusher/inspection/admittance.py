"""Who decides about a channel, and what the answer to a user would be, in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.test import force_authenticate

from drf_model_pusher.authorization.refusals import Refused
from drf_model_pusher.authorization.subscriptions import Doorkeeper
from drf_model_pusher.authorization.views import AuthorizationView
from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.exceptions import ModelPusherException
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
        Doorkeeper(_request(user)).admit("1.1", channel)
    except (Refused, ModelPusherException) as error:
        return replace(found, allowed=False, reason=str(error))
    return replace(found, allowed=True)


def _rules(backend: ChannelRules) -> list[str]:
    rules = []
    if backend.view_class is not None:
        rules.append(f"view_class ({backend.view_class.__qualname__})")
    if backend.permission_classes is not None:
        # Combined permissions have no name of their own.
        names = [getattr(each, "__qualname__", repr(each)) for each in backend.permission_classes]
        rules.append(f"permission_classes ({', '.join(names) or 'none: everybody'})")
    if backend.permits_by_itself():
        rules.append("has_channel_permission()")
    return rules


def _request(user: Any) -> Request:
    """Return a request for authorization by a user, as the endpoint would see it."""
    hosts = [host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"]
    posted = RequestFactory(SERVER_NAME=(hosts or ["localhost"])[0]).post("/pusher/auth")
    # What DRF itself offers to say who it is, in whatever way a view authenticates.
    force_authenticate(posted, user)
    return AuthorizationView().initialize_request(posted)
