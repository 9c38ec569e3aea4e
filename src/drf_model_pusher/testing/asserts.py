"""What was pushed, and what was not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Model

from drf_model_pusher.conf import app_settings
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.registry import registry
from drf_model_pusher.testing.capture import CapturedEvents, current_capture
from drf_model_pusher.testing.comparing import described, differences


def assert_pushed(
    model_or_name: type[Model] | Model | str,
    event: str | None = None,
    *,
    channels: str | Sequence[str] | None = None,
    data: Any = ...,
    events: Sequence[PusherEvent] | None = None,
) -> PusherEvent:
    """Assert that an event was pushed, and return the first that fits.

    Args:
        model_or_name: A model or one of its objects, or the event's name as subscribers know it.
        event: ``create``, ``update``, ``delete`` or a verb of your own; any by default.
        channels: All channels that the event goes to, in any order; one name is a list of one.
        data: What the data is or, of an object, holds; or a function that is given the data and
            says whether it fits, or fails with an assertion of its own.
        events: Where to look, by default what the fixture or the open ``capture_events()`` holds.
    """
    __tracebackhide__ = True  # in the output of pytest
    pushed = current_capture() if events is None else events
    wanted = _wanted(model_or_name, event, channels)
    lines = []
    for each in pushed:
        faults = list(_faults(each, model_or_name, event, channels, data))
        if not faults:
            return each
        lines.append([described(each), *faults])
    headline = f"{wanted} was not pushed.{_without_backend(model_or_name)}"
    raise AssertionError("\n".join([headline, *_list(pushed, lines)]))


def assert_nothing_pushed(events: Sequence[PusherEvent] | None = None) -> None:
    """Assert that no event was pushed.

    Args:
        events: Where to look, by default what the fixture or the open ``capture_events()`` holds.
    """
    __tracebackhide__ = True  # in the output of pytest
    pushed = current_capture() if events is None else events
    if len(pushed):
        lines = [[described(each)] for each in pushed]
        raise AssertionError("\n".join(["Nothing should have been pushed.", *_list(pushed, lines)]))


def _faults(
    found: PusherEvent,
    model_or_name: type[Model] | Model | str,
    event: str | None,
    channels: str | Sequence[str] | None,
    data: Any,
) -> Iterator[str]:
    """Go through the reasons why an event is not the one; of another name, that alone."""
    if not _is_about(found, model_or_name, event):
        yield "is another event"
        return
    if channels is not None:
        names = {channels} if isinstance(channels, str) else set(channels)
        if names != set(found.channels):
            yield f"goes to {sorted(found.channels)}; {sorted(names)} was wanted"
    if data is not ...:
        yield from _data_faults(found, data)


def _data_faults(found: PusherEvent, data: Any) -> Iterator[str]:
    if not callable(data):
        yield from differences(data, found.json(), subset=True)
        return
    name = getattr(data, "__qualname__", repr(data))
    try:
        answer = data(found.json())
    except (AssertionError, LookupError, TypeError) as error:
        yield f"{name} fails on the data: {error!r}"
    else:
        # A function of assertions returns nothing.
        if answer is not None and not answer:
            yield f"{name} says no to the data"


def _is_about(
    found: PusherEvent, model_or_name: type[Model] | Model | str, event: str | None
) -> bool:
    if isinstance(model_or_name, str):
        names = [model_or_name] if event is None else [f"{model_or_name}.{event}"]
        return found.name in names
    meta = (model_or_name._meta.concrete_model or model_or_name)._meta
    label, _, key = (found.subject or "").partition(":")
    if label != meta.label_lower:
        return False
    if isinstance(model_or_name, Model) and key != str(model_or_name.pk):
        return False
    return event in (None, found.change) or found.name in _names(model_or_name, str(event))


def _names(model: type[Model] | Model, event: str) -> list[str]:
    """Return what an event of a model may be called."""
    model = model if isinstance(model, type) else type(model)
    return [backend().get_event_name(event) for backend in registry.backends_for(model)]


def _wanted(
    model_or_name: type[Model] | Model | str,
    event: str | None,
    channels: str | Sequence[str] | None,
) -> str:
    if isinstance(model_or_name, str):
        text = model_or_name if event is None else f"{model_or_name}.{event}"
    elif isinstance(model_or_name, Model):
        text = f"{event or 'any event'} of {type(model_or_name).__name__} {model_or_name.pk}"
    elif hasattr(model_or_name, "_meta"):
        text = f"{event or 'any event'} of {model_or_name.__name__}"
    else:
        raise TypeError(
            "assert_pushed() takes a model, one of its objects or a name, not "
            f"{model_or_name!r:.100}."
        )
    if channels is None:
        return text
    return f"{text} on {[channels] if isinstance(channels, str) else list(channels)}"


def _without_backend(model_or_name: type[Model] | Model | str) -> str:
    """Say so where nothing could ever be pushed of a model."""
    if isinstance(model_or_name, str):
        return ""
    model = type(model_or_name) if isinstance(model_or_name, Model) else model_or_name
    return "" if registry.backends_for(model) else f" No backend pushes {model.__name__}."


def _list(pushed: Sequence[PusherEvent], lines: list[list[str]]) -> Iterator[str]:
    """Go through the lines that say what was pushed instead."""
    if lines:
        yield f"Pushed, oldest first ({len(lines)}):"
    for number, (line, *faults) in enumerate(lines, 1):
        yield f"  {number}. {line}"
        for fault in faults:
            yield f"       {fault}"
    refused = pushed.refused if isinstance(pushed, CapturedEvents) else []
    for event, reason in refused:
        yield f"Refused, as Pusher would: {described(event)}\n       {reason}"
    if not lines and not refused:
        disabled = app_settings.DRF_MODEL_PUSHER_DISABLED
        why = " DRF_MODEL_PUSHER_DISABLED is True." if disabled else ""
        open_blocks = isinstance(pushed, CapturedEvents) and pushed.waiting
        if open_blocks:
            why = " Events wait for the end of a transaction block that is still open."
        yield f"Nothing was pushed at all.{why}"
