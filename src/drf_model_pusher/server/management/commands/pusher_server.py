"""``manage.py pusher_server``: run the development server."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import SettingError


class Command(BaseCommand):
    """Serve Pusher's protocol with the project's own credentials."""

    help = "Runs a server of the Pusher Channels protocol, with the project's own credentials."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add where to listen, and how much to print."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=6001, help="port to listen on")
        parser.add_argument(
            "--verbose", action="store_true", help="print what happens: events with their data"
        )

    def handle(self, *, host: str, port: int, verbose: bool, **options: Any) -> None:
        """Run until SIGINT or SIGTERM; then close WebSockets with 4200, and end with 0."""
        try:
            from drf_model_pusher.server.configuration import (
                PusherServer,
                configured_apps,
                configured_limits,
            )
            from pusher_dev_server.console.access import describe_access
            from pusher_dev_server.runner import NOTICE, run
        except ImportError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(NOTICE)
        try:
            token = app_settings.DRF_MODEL_PUSHER_SERVER_CONSOLE_TOKEN
            pusher = PusherServer(configured_apps(), configured_limits(), console_token=token)
            console = describe_access(token, "DRF_MODEL_PUSHER_SERVER_CONSOLE_TOKEN")
            run(pusher, host=host, port=port, out=self.stdout, console=console, verbose=verbose)
        except (SettingError, ValueError) as error:
            raise CommandError(str(error)) from error
