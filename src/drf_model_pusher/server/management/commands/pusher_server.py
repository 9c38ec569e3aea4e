"""``manage.py pusher_server``: run the embedded server."""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.server.printing import Printer, Terminal

NOTICE = (
    "Embedded Pusher server for development, tests and small deployments: its state lives in this "
    "one process. Production fan-out belongs on Pusher or another server of its protocol."
)


class Command(BaseCommand):
    """Serve Pusher's protocol with the project's own credentials."""

    help = "Runs a server of the Pusher Channels protocol, with the project's own credentials."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add where to listen, and how much to say."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=6001, help="port to listen on")
        parser.add_argument(
            "--verbose", action="store_true", help="show traffic: events with their data"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGINT or SIGTERM; then send clients away with 4200, and end with 0."""
        self.stdout.write(NOTICE)
        try:
            from drf_model_pusher.server.asgi import create_app
            from drf_model_pusher.server.configuration import configured_apps, configured_limits
            from drf_model_pusher.server.runner import create_server, listen
        except ImportError as error:
            raise CommandError(str(error)) from error
        try:
            token = app_settings.DRF_MODEL_PUSHER_SERVER_CONSOLE_TOKEN
            pusher = create_app(configured_apps(), configured_limits(), console_token=token)
        except SettingError as error:
            raise CommandError(str(error)) from error
        host, port = options["host"], options["port"]
        if not 0 <= port <= 65_535:
            raise CommandError(f"{port} is no port: --port takes a number from 0 to 65535.")
        try:
            listeners = listen(host, port)
        except OSError as error:
            reason = error.strerror or error
            raise CommandError(f"Cannot listen on {host}, port {port}: {reason}.") from error
        port = listeners[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.stdout.write(f"Listening on http://{shown}:{port} (Ctrl+C ends it)")
        whom = "with DRF_MODEL_PUSHER_SERVER_CONSOLE_TOKEN" if token else "on this machine only"
        self.stdout.write(f"The console is the page at /, {whom}")
        for hub in pusher.hubs.values():
            self.stdout.write(f"App {hub.app.id} with key {hub.app.key}")
        self.stdout.flush()
        # uvicorn closes down at a signal, and then raises it again for whoever was there before.
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, _nothing)
        server = create_server(pusher, host=host, port=port)
        if not options["verbose"]:
            server.run(listeners)
            return
        with Printer(self._terminal()) as show:
            for hub in pusher.hubs.values():
                hub.observers.append(show)
            server.run(listeners)

    def _terminal(self) -> Terminal:
        """Return where traffic is printed: standard output, but apart from Python's own file.

        A thread that hangs in a write to that one would not let the process end.
        """
        try:
            descriptor = self.stdout.fileno()
        except OSError:  # a caller's own file
            return self.stdout
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        return open(descriptor, "w", encoding=encoding, errors="backslashreplace", closefd=False)


def _nothing(signum: int, frame: FrameType | None) -> None:
    pass
