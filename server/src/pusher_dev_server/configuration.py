"""Apps and limits from plain values, such as JSON or Django's settings. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any
from urllib.parse import urlsplit

from pusher_dev_server.application import Application, Limits


class ConfigurationError(ValueError):
    """A value that the server cannot use.

    Attributes:
        hint: What to write instead.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}: {hint}")
        self.message = message
        self.hint = hint


def parse_apps(values: Sequence[Mapping[str, Any]]) -> list[Application]:
    """Return the apps that some mappings describe; raise ConfigurationError for a mistake."""
    apps = [_app(each) for each in values]
    for name in ("id", "key"):
        if len({getattr(app, name) for app in apps}) < len(apps):
            raise ConfigurationError(f"two apps share one {name}", f"give each app its own {name}")
    return apps


def parse_limits(changes: Mapping[str, Any]) -> Limits:
    """Return the default limits with these changes; raise ConfigurationError for a mistake."""
    types = {field.name: field.type for field in fields(Limits)}
    for name, value in changes.items():
        if name not in types:
            raise ConfigurationError(f"{name!r} is no limit", f"use some of {', '.join(types)}")
        allowed = (int,) if types[name] == "int" else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed) or value <= 0:
            wanted = "a whole number" if types[name] == "int" else "a number of seconds"
            raise ConfigurationError(f"{name} is {value!r}", f"{name} is {wanted} above 0")
    return replace(Limits(), **changes)


def _app(values: Mapping[str, Any]) -> Application:
    types = {field.name: field.type for field in fields(Application)}
    for name in ("id", "key", "secret"):
        if not values.get(name):
            raise ConfigurationError(f"an app has no {name}", f"give each app its {name}")
    webhooks = values.get("webhooks", ())
    if not isinstance(webhooks, (list, tuple)) or not all(map(_is_address, webhooks)):
        raise ConfigurationError(
            "webhooks is no list of addresses", "list http:// or https:// addresses"
        )
    values = {**values, "id": str(values["id"]), "webhooks": tuple(webhooks)}
    for name, value in values.items():
        if name not in types:
            raise ConfigurationError(f"{name!r} is no part of an app", f"use {', '.join(types)}")
        if types[name] in ("str", "bool") and type(value).__name__ != types[name]:
            # The value may be a secret, so it is not shown.
            actual = type(value).__name__
            raise ConfigurationError(f"{name} is a {actual}", f"make it a {types[name]}")
    return Application(**values)


def _is_address(url: object) -> bool:
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return False
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:  # such as a port that is no number
        return False
    return is_complete and url.isascii() and url.isprintable() and " " not in url
