"""Who may read what: subscriptions, and whether a push says what a GET says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from django.db.models import Model

from drf_model_pusher.authorization.refusals import BrokeDown, Refused
from drf_model_pusher.channel_templates import value_of
from drf_model_pusher.channels import ChannelKind, check_name
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import InvalidEventError
from drf_model_pusher.registry import registry
from drf_model_pusher.testing.capture import capture_events
from drf_model_pusher.testing.comparing import described, differences, rendered

if TYPE_CHECKING:
    from rest_framework.generics import GenericAPIView

    from drf_model_pusher.backends import PusherBackend

    ViewClass: TypeAlias = type[GenericAPIView[Any]]


def assert_may_subscribe(user: Any, channel: str) -> None:
    """Assert that the rules let a user subscribe to a channel.

    Args:
        user: A user, signed in by a session and by whatever else a view takes; None for nobody.
        channel: The full name.
    """
    __tracebackhide__ = True  # in the output of pytest
    if (reason := _refusal(user, channel)) is not None:
        raise AssertionError(f"{_who(user)} may not subscribe to {channel!r}: {reason}.")


def assert_may_not_subscribe(user: Any, channel: str) -> None:
    """Assert that the rules refuse a user's subscription to a channel.

    A rule that breaks down refuses everybody in production; here it is a failure.

    Args:
        user: A user, signed in by a session and by whatever else a view takes; None for nobody.
        channel: The full name.
    """
    __tracebackhide__ = True  # in the output of pytest
    refused = _refusal(user, channel)
    if isinstance(refused, BrokeDown):
        raise AssertionError(  # noqa: TRY004 - no type is wrong
            f"Whether {_who(user)} may subscribe to {channel!r} was not decided: {refused}."
        )
    if refused is None:
        public = ChannelKind.of(channel) is ChannelKind.PUBLIC
        why = "it is public, so that everybody may" if public else "the rules of its backends agree"
        raise AssertionError(f"{_who(user)} may subscribe to {channel!r}: {why}.")


def assert_push_equals_get(
    view: ViewClass,
    instance: Model,
    user: Any,
    *,
    kwargs: Mapping[str, Any] | None = None,
    backend: type[PusherBackend] | None = None,
) -> None:
    """Assert that whoever hears of an update is told what a GET would tell them.

    The update is made up: nothing is saved. Of its events those count that go to a channel to which
    the user may subscribe.

    Args:
        view: The class of the view.
        instance: A saved object of the view's.
        user: Who listens and who asks; None for nobody.
        kwargs: Arguments in the URL of the view besides its look-up.
        backend: The one backend whose event counts, whoever may hear it.
    """
    __tracebackhide__ = True  # in the output of pytest
    lookup = view.lookup_field
    arguments = {**(kwargs or {}), view.lookup_url_kwarg or lookup: str(value_of(instance, lookup))}
    events = _update(view, instance, user, arguments, backend)
    heard = events if backend else [event for event in events if _may_hear(user, event)]
    name = f"{view.__name__}, {type(instance).__name__} {instance.pk}, {_who(user)}"
    if not heard:
        lines = [f"  {described(event)}" for event in events] or ["  nothing"]
        raise AssertionError(
            "\n".join([f"{name}: the user hears of no update. Pushed would be:", *lines])
        )
    got = _get(view, user, arguments, name)
    for event in heard:
        faults = list(differences(got, event.json(), subset=False))
        if faults:
            lines = [f"  {fault} by the GET" for fault in faults]
            raise AssertionError(
                "\n".join(
                    [f"{name}: a push differs from the GET.", *lines, f"Pushed: {described(event)}"]
                )
            )


def _refusal(user: Any, channel: str) -> Refused | None:
    """Return why a user may not subscribe, or None."""
    try:
        check_name(channel)
    except InvalidEventError as error:
        return Refused(str(error).rstrip("."))
    if ChannelKind.of(channel) is ChannelKind.PUBLIC:
        return None
    from drf_model_pusher.inspection.clients import refusal

    return refusal(user, channel)


def _may_hear(user: Any, event: PusherEvent) -> bool:
    return any(_refusal(user, channel) is None for channel in event.channels)


def _update(
    view_class: Any,
    instance: Model,
    user: Any,
    kwargs: dict[str, Any],
    backend: type[PusherBackend] | None,
) -> Sequence[PusherEvent]:
    """Return the events of an update by the user, made where a view would be."""
    from django.http import HttpResponse
    from rest_framework.viewsets import ViewSetMixin

    backends = [backend] if backend else registry.backends_for(type(instance))

    def push(request: Any) -> HttpResponse:
        view = view_class()
        if issubclass(view_class, ViewSetMixin):
            view.action_map = {"patch": "partial_update"}
            view.detail, view.basename = True, None
        view.setup(request, **kwargs)
        view.request = view.initialize_request(view.request, **kwargs)
        view.format_kwarg = None
        for each in backends:
            each(view=view).push_change("update", instance)
        return HttpResponse()

    with capture_events() as events:
        _send("patch", view_class, user, kwargs, push)
        return list(events)


def _get(view_class: Any, user: Any, kwargs: dict[str, Any], name: str) -> Any:
    response = _send("get", view_class, user, kwargs)
    if response.status_code != 200:
        raise AssertionError(f"{name}: the GET is answered with {response.status_code}.")
    if "json" in response.headers.get("Content-Type", ""):
        return json.loads(response.content)
    return rendered(response.data)


def _send(
    method: str, view_class: Any, user: Any, kwargs: dict[str, Any], callback: Any = None
) -> Any:
    """Return the response of a view at its own URL, or at none if it has none."""
    from django.urls import NoReverseMatch, reverse
    from rest_framework.viewsets import ViewSetMixin

    from drf_model_pusher.inspection.clients import send
    from drf_model_pusher.routes import known_routes

    path = None
    for route in known_routes() or []:
        if route.view_class is view_class and route.action in (None, "retrieve"):
            with suppress(NoReverseMatch):
                path = path or reverse(route.target, kwargs=kwargs)
    is_set = issubclass(view_class, ViewSetMixin)
    view = view_class.as_view({"get": "retrieve"}) if is_set else view_class.as_view()
    target = (callback, (), {}) if callback else (view, (), kwargs)
    return send(method, path or "/", user, target, always=callback is not None or path is None)


def _who(user: Any) -> str:
    return f"user {user}" if user is not None else "nobody"
