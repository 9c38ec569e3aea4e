"""The command: ``python -m pusher_dev_server`` or ``pusher-dev-server``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pusher_dev_server.application import LOCAL_APP
from pusher_dev_server.asgi import PusherServer
from pusher_dev_server.configuration import ConfigurationError, parse_apps, parse_limits
from pusher_dev_server.console.access import describe_access
from pusher_dev_server.runner import NOTICE, run


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server until SIGINT or SIGTERM; exit with 2 where it cannot run."""
    parser = _parser()
    options = parser.parse_args(arguments)
    token = os.environ.get("PUSHER_CONSOLE_TOKEN")
    print(NOTICE)  # noqa: T201 - a command talks to the terminal
    try:
        values = _configuration(options)
        apps, limits = parse_apps(values["apps"]), parse_limits(values["limits"])
        run(
            PusherServer(apps, limits, console_token=token),
            host=options.host,
            port=options.port,
            out=sys.stdout,
            console=describe_access(token, "PUSHER_CONSOLE_TOKEN"),
            verbose=options.verbose,
        )
    except ValueError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pusher-dev-server", description=NOTICE)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=6001, help="port to listen on; 0 for any that is free")
    for name in ("id", "key", "secret"):
        variable = f"PUSHER_{'APP_ID' if name == 'id' else name.upper()}"
        known = getattr(LOCAL_APP, name)
        add(
            "--app-id" if name == "id" else f"--{name}",
            default=os.environ.get(variable, known),
            help=f"the app's {name}; by default {variable} of the environment, or {known}",
        )
    add("--webhook", action="append", default=[], metavar="URL", help="address for webhooks")
    add("--config", type=Path, metavar="FILE", help='JSON: {"apps": [{…}], "limits": {…}}')
    add("--verbose", action="store_true", help="print what happens: events with their data")
    add("--version", action="version", version=version("pusher-dev-server"))
    return parser


def _configuration(options: argparse.Namespace) -> dict[str, Any]:
    """Return ``apps`` and ``limits`` as a file or the options say."""
    values: Any = {}
    if options.config is not None:
        try:
            values = json.loads(options.config.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"Cannot read {options.config}", str(error)) from error
    own = {
        "id": options.app_id,
        "key": options.key,
        "secret": options.secret,
        "webhooks": options.webhook,
    }
    if not isinstance(values, dict) or not values.keys() <= {"apps", "limits"}:
        raise ConfigurationError("The file is wrong", 'it has "apps" and "limits" at most')
    apps, limits = values.get("apps", [own]), values.get("limits", {})
    if not isinstance(apps, list) or not all(isinstance(app, dict) for app in apps):
        raise ConfigurationError("apps is wrong", "list objects")
    if not isinstance(limits, dict):
        raise ConfigurationError("limits is wrong", "write an object of names and numbers")
    return {"apps": apps, "limits": limits}
