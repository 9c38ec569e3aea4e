"""``manage.py pusher_listen``."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import datetime, timezone
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from drf_model_pusher.exceptions import ModelPusherException
from drf_model_pusher.inspection.listening import (
    ERRORS,
    SUBSCRIBED,
    Heard,
    Listener,
    service_address,
)


class Command(BaseCommand):
    """Signs its subscriptions itself: whoever holds the secret may hear everything."""

    help = "Print the events of channels as they happen."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the channels and when to stop."""
        parser.add_argument("channels", nargs="+", metavar="channel", help="full names")
        parser.add_argument("--json", action="store_true", help="print a JSON object a line")
        parser.add_argument("--count", type=int, help="stop after so many events")
        parser.add_argument("--timeout", type=float, help="stop after so many seconds")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print until there is enough, the time is over, or Ctrl+C."""
        for option in ("count", "timeout"):
            if options[option] is not None and not options[option] > 0:
                raise CommandError(f"--{option} takes a number above 0.")
        try:
            printed = self._listen(options)
        except KeyboardInterrupt:
            return
        except ModelPusherException as error:
            raise CommandError(str(error)) from error
        if options["count"] and printed < options["count"]:
            raise CommandError(f"{printed} of {options['count']} events came in time.")

    def _listen(self, options: dict[str, Any]) -> int:
        """Print; return how many events were."""
        printed = 0
        listener = Listener(options["channels"], timeout=options["timeout"])
        # What is not an event goes to the other stream, out of the way of scripts.
        self.stderr.write(f"Listening to {service_address()} (Ctrl+C ends it)", _as_it_is)
        for heard in listener:
            if heard.event == SUBSCRIBED:
                self.stderr.write(f"Subscribed to {heard.channel}", _as_it_is)
                continue
            if heard.event in ERRORS:
                self.stderr.write(f"{heard.channel or 'The service'}: {_reason(heard.data)}")
                continue
            self.stdout.write(_as_json(heard) if options["json"] else _as_line(heard))
            self.stdout.flush()
            printed += 1
            if printed == options["count"]:
                break
        return printed


def _as_json(heard: Heard) -> str:
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    line = {"time": now, "channel": heard.channel, "event": heard.event, "data": heard.data}
    if heard.user_id is not None:
        line["user_id"] = heard.user_id
    return json.dumps(line)


def _as_line(heard: Heard) -> str:
    now = datetime.now(timezone.utc).astimezone().strftime("%H:%M:%S")
    by = f" by {heard.user_id}" if heard.user_id is not None else ""
    data = heard.data if isinstance(heard.data, str) else json.dumps(heard.data, ensure_ascii=False)
    return _printable(f"{now} {heard.channel or '-'} {heard.event}{by} {data}")


def _reason(data: Any) -> str:
    """Return what an error of the service says, for people."""
    if not isinstance(data, dict) or "message" not in data:
        return _printable(str(data))
    code = f" ({data['code']})" if data.get("code") else ""
    return _printable(f"{data['message']}{code}")


def _printable(text: str) -> str:
    """Escape what somebody could send to steer the terminal."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def _as_it_is(text: str) -> str:
    return text
