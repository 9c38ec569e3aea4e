"""``manage.py pusher_explain``."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model

from drf_model_pusher.exceptions import ModelPusherException
from drf_model_pusher.inspection.admittance import Verdict, verdict
from drf_model_pusher.inspection.explaining import Push, explain
from drf_model_pusher.registry import registry

_VERB = re.compile(r"[A-Za-z_][\w-]*\Z")


class Command(BaseCommand):
    """Makes the event as a change would, and sends nothing."""

    help = "Show what a change of an object would push, and who may hear of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add what it is about."""
        parser.add_argument("model", help="such as orders.Order")
        parser.add_argument("pk", help="the primary key of an object that is there")
        parser.add_argument(
            "--event", default="update", help="create, update, delete or a verb of your own"
        )
        parser.add_argument(
            "--as", dest="user", help="a user, by name or primary key, who would like to subscribe"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        model, event = _model(options["model"]), options["event"]
        if not _VERB.match(event):
            raise CommandError(f"{event!r} is no event: create, update, delete or another verb.")
        instance = _found(model, options["pk"])
        user = None if options["user"] is None else _user(options["user"])
        try:
            pushes = list(explain(instance, event))
            channels = dict.fromkeys(name for push in pushes for name in push.channels)
            verdicts = [verdict(channel, user) for channel in channels]
        except ModelPusherException as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(instance, event, pushes, verdicts), indent=2))
            return
        self.stdout.write(f"{instance._meta.label} {instance.pk}, {event}")
        for push in pushes:
            self._paragraph(push.backend, _push_lines(push))
        if verdicts:
            who = "" if user is None else f", and whether {user} may"
            lines = [(each.channel, _verdict_line(each)) for each in verdicts]
            self._paragraph(f"Who may subscribe{who}", lines)

    def _paragraph(self, title: str, lines: Sequence[tuple[str, str]]) -> None:
        self.stdout.write(f"\n{title}")
        width = max(len(name) for name, _ in lines)
        for name, text in lines:
            self.stdout.write(f"  {name.ljust(width)}  {text}")


def _model(label: str) -> type[Model]:
    try:
        model: type[Model] = apps.get_model(label)
    except ValueError as error:
        raise CommandError(f"{label!r} names no app; write the model as orders.Order.") from error
    except LookupError as error:
        raise CommandError(f"{label!r} is no model: {error}") from error
    if not registry.backends_for(model):
        known = ", ".join(sorted({each.model._meta.label for each in registry})) or "none has"
        raise CommandError(f"No backend pushes changes of {model._meta.label}; of these: {known}.")
    return model


def _found(model: type[Model], pk: str) -> Model:
    try:
        return model._default_manager.get(pk=pk)
    except (ObjectDoesNotExist, ValueError, ValidationError, OverflowError) as error:
        raise CommandError(f"There is no {model._meta.label} with the key {pk!r}.") from error


def _user(name: str) -> Any:
    users = get_user_model()._default_manager
    for lookup in (get_user_model().USERNAME_FIELD, "pk"):
        try:
            return users.get(**{lookup: name})
        except (ObjectDoesNotExist, ValueError, ValidationError, OverflowError):
            continue
    raise CommandError(f"There is no user {name!r}, by name or primary key.")


def _as_json(
    instance: Model, event: str, pushes: Sequence[Push], verdicts: Sequence[Verdict]
) -> dict[str, Any]:
    return {
        "model": instance._meta.label,
        "pk": str(instance.pk),
        "event": event,
        "pushes": [asdict(push) for push in pushes],
        "subscriptions": [asdict(each) for each in verdicts],
    }


def _push_lines(push: Push) -> list[tuple[str, str]]:
    lines = [("view", push.view)] if push.view else []
    if push.problem:
        return [*lines, ("nothing", push.problem)]
    lines += [
        ("event", push.event),
        ("channels", ", ".join(push.channels)),
        ("data", " ".join(_size(push))),
        ("delivery", f"{push.delivery}, {push.provider}"),
    ]
    if push.vacant:
        lines.append(("left out", f"{', '.join(push.vacant)}: nobody listens"))
    if push.calls:
        costs = f"{push.published} published at the most, and 1 for each subscriber of each channel"
        lines += [("calls", ", ".join(push.calls)), ("messages", costs)]
    return lines


def _size(push: Push) -> Iterator[str]:
    yield f"{push.bytes:,} bytes of {push.limit:,}"
    if push.oversize and push.sent_bytes:
        yield f"are too many: a reference of {push.sent_bytes:,} bytes is sent"
    elif push.oversize and push.channels != push.vacant:
        yield "are too many: it is dropped"


def _verdict_line(found: Verdict) -> str:
    by = "anybody" if found.public else ", ".join(found.deciders) or "no rule, so nobody"
    if found.allowed is None:
        return by
    return f"{by}: {'yes' if found.allowed else f'no, {found.reason}'}"
