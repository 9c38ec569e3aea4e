"""Every setting of the package: one typed property each, under its full Django name.

A setting is read when it is first used, and anew after Django's signal ``setting_changed``, so
``override_settings`` works. A value of the wrong type or range raises ``SettingError``, which the
system checks show before a request meets it.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.utils.functional import cached_property

from drf_model_pusher.exceptions import SettingError

_PATH = re.compile(r"[a-zA-Z0-9._~-]+(/[a-zA-Z0-9._~-]+)*")
_IN_BRACKETS = re.compile(r"\[[0-9a-fA-F:.]+\]")


class AppSettings:
    """The settings.

    Each push asks for several, most of which a project leaves unset, which Django finds out by
    raising and catching an exception: that is why they are kept.
    """

    # The service

    @cached_property
    def PUSHER_APP_ID(self) -> str:
        """The app's id: digits on Pusher's service. Required by the Pusher provider."""
        return _text("PUSHER_APP_ID")

    @cached_property
    def PUSHER_KEY(self) -> str:
        """The app's public key. Required by the Pusher provider."""
        return _text("PUSHER_KEY")

    @cached_property
    def PUSHER_SECRET(self) -> str:
        """The app's secret, which signs requests. Required by the Pusher provider."""
        return _text("PUSHER_SECRET", secret=True)

    @cached_property
    def PUSHER_CLUSTER(self) -> str:
        """The cluster of Pusher's service that the app lives in; unused with ``PUSHER_HOST``."""
        return _text("PUSHER_CLUSTER") or "mt1"

    @cached_property
    def PUSHER_HOST(self) -> str | None:
        """The host of another server of the protocol, without scheme or port.

        An address of IPv6 stands in brackets.
        """
        host = _text("PUSHER_HOST")
        if ("/" in host or ":" in host) and not _IN_BRACKETS.fullmatch(host):
            raise _wrong("PUSHER_HOST", host, "a host name alone; the port goes to PUSHER_PORT")
        return host or None

    @cached_property
    def PUSHER_PORT(self) -> int | None:
        """The port of the HTTP API, a number or digits; by default the scheme's own."""
        value = getattr(django_settings, "PUSHER_PORT", None)
        if value is None or value == "":
            return None
        return _integer("PUSHER_PORT", value, 1, 65_535)

    @cached_property
    def PUSHER_PATH(self) -> str:
        """What stands before ``/apps`` in the HTTP API of a server behind a path, as ``/ws``."""
        path = _text("PUSHER_PATH").strip("/")
        if path and not _PATH.fullmatch(path):
            raise _wrong("PUSHER_PATH", path, 'the beginning of a path, such as "/ws"')
        return f"/{path}" if path else ""

    @cached_property
    def PUSHER_SSL(self) -> bool:
        """Whether the HTTP API is reached over TLS."""
        return _boolean("PUSHER_SSL", default=True)

    @cached_property
    def PUSHER_TIMEOUT(self) -> float:
        """Seconds to wait for a connection, then for the whole answer; a number or its digits."""
        value = getattr(django_settings, "PUSHER_TIMEOUT", 5)
        if isinstance(value, str) and value.isascii() and value.replace(".", "", 1).isdigit():
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 300:
            raise _wrong("PUSHER_TIMEOUT", value, "a number of seconds above 0, at most 300")
        return value

    @cached_property
    def PUSHER_CA_BUNDLE(self) -> str | None:
        """The path of a file with the authorities to trust instead of the platform's."""
        path = _text("PUSHER_CA_BUNDLE")
        if path and not Path(path).exists():
            raise _wrong("PUSHER_CA_BUNDLE", path, "the path of a file of PEM certificates")
        return path or None

    @cached_property
    def PUSHER_ENCRYPTION_MASTER_KEY_BASE64(self) -> str | None:
        """The master key of ``private-encrypted-`` channels: 32 random bytes as base64."""
        return _master_key("PUSHER_ENCRYPTION_MASTER_KEY_BASE64")

    @cached_property
    def PUSHER_ENCRYPTION_OLDER_MASTER_KEY_BASE64(self) -> str | None:
        """The master key before the current one, while events of both are on their way."""
        return _master_key("PUSHER_ENCRYPTION_OLDER_MASTER_KEY_BASE64")

    # The package

    @cached_property
    def DRF_MODEL_PUSHER_BACKENDS_FILE(self) -> str:
        """The file looked for in each installed app; a folder may stand before it."""
        value = _text("DRF_MODEL_PUSHER_BACKENDS_FILE") or "pusher_backends.py"
        parts = value.removesuffix(".py").split("/")
        if not all(part.isidentifier() for part in parts):
            raise _wrong(
                "DRF_MODEL_PUSHER_BACKENDS_FILE",
                value,
                'the name of a Python file inside each app, such as "pusher_backends.py"',
            )
        return value

    @cached_property
    def DRF_MODEL_PUSHER_DISABLED(self) -> bool:
        """Push nothing, and do no work for it."""
        return _boolean("DRF_MODEL_PUSHER_DISABLED", default=False)

    @cached_property
    def DRF_MODEL_PUSHER_PROVIDER(self) -> str:
        """Who carries events: the dotted path of a provider class."""
        return _text("DRF_MODEL_PUSHER_PROVIDER") or "drf_model_pusher.providers.PusherProvider"

    @cached_property
    def DRF_MODEL_PUSHER_DELIVERY(self) -> str:
        """When events leave, and from which process: the dotted path of a delivery class."""
        return _text("DRF_MODEL_PUSHER_DELIVERY") or "drf_model_pusher.delivery.BackgroundDelivery"

    @cached_property
    def DRF_MODEL_PUSHER_BASE_URL(self) -> str:
        """What URLs begin with in what is rendered without a request; empty for relative ones."""
        value = _text("DRF_MODEL_PUSHER_BASE_URL")
        if value and not _is_address(value):
            raise _wrong("DRF_MODEL_PUSHER_BASE_URL", value, 'such as "https://api.example.com"')
        return value

    @cached_property
    def DRF_MODEL_PUSHER_RENDERER(self) -> str:
        """What encodes events: the path of a DRF renderer; by default as DRF's JSON renderer."""
        return _text("DRF_MODEL_PUSHER_RENDERER")

    @cached_property
    def DRF_MODEL_PUSHER_QUEUE_SIZE(self) -> int:
        """How many events may wait in a process; above it, the oldest are given up."""
        name = "DRF_MODEL_PUSHER_QUEUE_SIZE"
        return _integer(name, getattr(django_settings, name, 10_000), 1, 1_000_000)

    @cached_property
    def DRF_MODEL_PUSHER_RETRY_SECONDS(self) -> int:
        """How long an event may wait for the service to come back, in seconds."""
        name = "DRF_MODEL_PUSHER_RETRY_SECONDS"
        return _integer(name, getattr(django_settings, name, 300), 0, 86_400)

    @cached_property
    def DRF_MODEL_PUSHER_TASK_BACKEND(self) -> str:
        """The alias in ``TASKS`` of the backend that ``TaskDelivery`` enqueues on."""
        return _text("DRF_MODEL_PUSHER_TASK_BACKEND") or "default"

    @cached_property
    def DRF_MODEL_PUSHER_TASK_QUEUE(self) -> str:
        """The name of the queue that ``TaskDelivery`` enqueues on."""
        return _text("DRF_MODEL_PUSHER_TASK_QUEUE") or "default"

    @cached_property
    def DRF_MODEL_PUSHER_MAX_EVENT_BYTES(self) -> int:
        """Bytes of UTF-8 that the service takes as the data of one event."""
        name = "DRF_MODEL_PUSHER_MAX_EVENT_BYTES"
        return _integer(name, getattr(django_settings, name, 10_240), 256, 10_485_760)

    @cached_property
    def DRF_MODEL_PUSHER_MAX_REQUEST_BYTES(self) -> int | None:
        """Bytes that the server takes as the body of one request; None where it counts events."""
        name = "DRF_MODEL_PUSHER_MAX_REQUEST_BYTES"
        value = getattr(django_settings, name, None)
        return None if value is None else _integer(name, value, 1_000, 104_857_600)

    # Webhooks, and what they tell about channels

    @cached_property
    def DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED(self) -> bool:
        """Send, and serialize, only for channels that somebody has subscribed to."""
        return _boolean("DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED", default=False)

    @cached_property
    def DRF_MODEL_PUSHER_CACHE(self) -> str:
        """The alias of the Django cache that remembers which channels are occupied."""
        return _text("DRF_MODEL_PUSHER_CACHE") or "default"

    @cached_property
    def DRF_MODEL_PUSHER_OCCUPANCY_MAX_AGE(self) -> int:
        """Seconds after which Pusher is asked again: how long a lost webhook can do harm."""
        name = "DRF_MODEL_PUSHER_OCCUPANCY_MAX_AGE"
        return _integer(name, getattr(django_settings, name, 300), 1, 86_400)

    @cached_property
    def DRF_MODEL_PUSHER_WEBHOOK_MAX_BYTES(self) -> int:
        """The largest webhook that is read."""
        name = "DRF_MODEL_PUSHER_WEBHOOK_MAX_BYTES"
        return _integer(name, getattr(django_settings, name, 2_621_440), 1_024, 104_857_600)

    @cached_property
    def DRF_MODEL_PUSHER_WEBHOOK_MAX_AGE(self) -> int:
        """Seconds that a webhook's time may differ from ours; Pusher retries for 300."""
        name = "DRF_MODEL_PUSHER_WEBHOOK_MAX_AGE"
        return _integer(name, getattr(django_settings, name, 600), 1, 86_400)

    @cached_property
    def PUSHER_EXTRA_KEYS(self) -> dict[str, str]:
        """More keys whose webhooks are trusted, each with its secret; for changing the key."""
        value = getattr(django_settings, "PUSHER_EXTRA_KEYS", {})
        if isinstance(value, dict) and all(
            isinstance(text, str) and text for pair in value.items() for text in pair
        ):
            return dict(value)
        # The value holds secrets: it is not shown.
        raise SettingError(
            "The setting PUSHER_EXTRA_KEYS is wrong.",
            hint='PUSHER_EXTRA_KEYS is a dict of keys and secrets: {"<key>": "<secret>"}.',
        )

    # The outbox

    @cached_property
    def DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS(self) -> int:
        """How often an event may be refused by its own fault before it is set aside as dead."""
        name = "DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS"
        return _integer(name, getattr(django_settings, name, 5), 1, 1_000)

    @cached_property
    def DRF_MODEL_PUSHER_OUTBOX_KEEP_SECONDS(self) -> int:
        """How long events that have left are kept, to look at; 0 deletes them at once."""
        name = "DRF_MODEL_PUSHER_OUTBOX_KEEP_SECONDS"
        return _integer(name, getattr(django_settings, name, 0), 0, 31_536_000)

    @cached_property
    def DRF_MODEL_PUSHER_OUTBOX_RELAY_IN_PROCESS(self) -> bool:
        """Relay from a thread of each process that writes, without ``pusher_relay``."""
        return _boolean("DRF_MODEL_PUSHER_OUTBOX_RELAY_IN_PROCESS", default=False)

    # The development server

    @cached_property
    def DRF_MODEL_PUSHER_SERVER_APPS(self) -> list[dict[str, Any]]:
        """The server's apps; empty for one app, the project's own.

        They are dicts with ``id``, ``key`` and ``secret``, and what else
        ``pusher_dev_server.application.Application`` names.
        """
        name = "DRF_MODEL_PUSHER_SERVER_APPS"
        value = getattr(django_settings, name, [])
        if not isinstance(value, (list, tuple)) or not all(isinstance(app, dict) for app in value):
            raise SettingError(f"The setting {name} is wrong.", hint=f"{name} is a list of dicts.")
        return list(value)

    @cached_property
    def DRF_MODEL_PUSHER_SERVER_LIMITS(self) -> dict[str, Any]:
        """Changes to the hosted service's limits, such as ``{"presence_members": 500}``.

        The names are those of ``pusher_dev_server.application.Limits``.
        """
        name = "DRF_MODEL_PUSHER_SERVER_LIMITS"
        value = getattr(django_settings, name, {})
        if not isinstance(value, dict):
            raise _wrong(name, value, "a dict of names and numbers")
        return value

    @cached_property
    def DRF_MODEL_PUSHER_SERVER_WEBHOOKS(self) -> list[str]:
        """Addresses that the server posts webhooks of the project's own app to."""
        name = "DRF_MODEL_PUSHER_SERVER_WEBHOOKS"
        value = getattr(django_settings, name, [])
        if is_list_of_addresses(value):
            return list(value)
        raise _wrong(name, value, "a list of http:// or https:// addresses")

    @property
    def DRF_MODEL_PUSHER_SERVER_CONSOLE_TOKEN(self) -> str | None:
        """What opens the server's console on other machines: 16 characters or more of ASCII."""
        name = "DRF_MODEL_PUSHER_SERVER_CONSOLE_TOKEN"
        token = _text(name, secret=True)
        if token and not (len(token) >= 16 and token.isascii() and token.isprintable()):
            raise SettingError(  # the value is a secret: it is not shown
                f"The setting {name} is too short, or not of printable ASCII.",
                hint=f"{name} is a text that nobody guesses: `openssl rand -hex 16` prints one.",
            )
        return token or None


def is_list_of_addresses(value: object) -> bool:
    """Say whether this is a list of addresses that HTTP requests can be made to."""
    return isinstance(value, (list, tuple)) and all(_is_address(url) for url in value)


def _is_address(url: object) -> bool:
    if not (isinstance(url, str) and url.startswith(("http://", "https://"))):
        return False
    if not (url.isascii() and url.isprintable() and " " not in url):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # such as a port that is no number
        return False


def setting_names() -> list[str]:
    """Return the names of all settings, in the order in which they are documented."""
    kinds = (property, cached_property)
    return [name for name, value in vars(AppSettings).items() if isinstance(value, kinds)]


def _text(name: str, *, secret: bool = False) -> str:
    value = getattr(django_settings, name, None)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # an app id is often written as a number
    if not isinstance(value, str):
        raise _wrong(name, type(value) if secret else value, "a text")
    return value


def _master_key(name: str) -> str | None:
    key = _text(name, secret=True)
    if key and _decoded_length(key) != 32:
        # The value is a secret: it is not shown.
        raise SettingError(
            f"The setting {name} is not 32 bytes of base64.",
            hint=f"{name} is what `openssl rand -base64 32` prints.",
        )
    return key or None


def _decoded_length(text: str) -> int:
    try:
        return len(base64.b64decode(text, validate=True))
    except ValueError:
        return 0


def _boolean(name: str, *, default: bool) -> bool:
    value = getattr(django_settings, name, default)
    if not isinstance(value, bool):
        # "False", as read from the environment, is true.
        raise _wrong(name, value, "True or False, not a text or a number")
    return value


def _integer(name: str, value: Any, lowest: int, highest: int) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise _wrong(name, value, f"a whole number from {lowest} to {highest}")
    return value


def _wrong(name: str, value: object, wanted: str) -> SettingError:
    return SettingError(f"The setting {name} is {value!r}.", hint=f"{name} is {wanted}.")


app_settings = AppSettings()


def _read_anew(**kwargs: object) -> None:
    vars(app_settings).clear()


setting_changed.connect(_read_anew, dispatch_uid="drf_model_pusher.conf")
