"""Who may say what: the three signatures of the protocol. Pure.

All comparisons take the same time whatever the difference, so that a signature cannot be guessed
character by character.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from pusher_dev_server.application import Application

#: Seconds that a request's clock may differ from the server's.
#: https://pusher.com/docs/channels/library_auth_reference/rest-api/#authentication
TIMESTAMP_WINDOW = 600


class InvalidSignature(Exception):  # noqa: N818 - reads as what it is in `except`
    """A request, a subscription or a sign-in that the app's secret has not signed."""

    status = 401


def sign(secret: str, text: str | bytes) -> str:
    """Return the hexadecimal HMAC-SHA256 of a text."""
    return hmac.digest(_bytes(secret), _bytes(text), "sha256").hex()


def check_channel_auth(
    app: Application, auth: str, socket_id: str, channel: str, channel_data: str | None = None
) -> None:
    """Raise InvalidSignature unless the app has authorized this connection for this channel."""
    parts = [socket_id, channel] if channel_data is None else [socket_id, channel, channel_data]
    key, _, signature = auth.partition(":")
    _check_key(app, key, "subscription")
    if not same(signature, sign(app.secret, ":".join(parts))):
        raise InvalidSignature(f"Auth value for subscription to {channel} is invalid")


def check_user_auth(app: Application, auth: str, socket_id: str, user_data: str) -> None:
    """Raise InvalidSignature unless the app has authenticated this connection as this user."""
    key, _, signature = auth.partition(":")
    _check_key(app, key, "sign-in")
    if not same(signature, sign(app.secret, f"{socket_id}::user::{user_data}")):
        raise InvalidSignature("Auth value for sign-in is invalid")


def check_request(
    app: Application,
    *,
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    body: bytes,
    now: float,
) -> None:
    """Raise InvalidSignature unless the app's owner has made this HTTP request, now and as it is.

    Args:
        app: The app that the path names.
        method: The HTTP method.
        path: The path as requested, percent-encoding included.
        query: The decoded parameters as sent. Official libraries differ in whether a GET carries
            ``body_md5``, so the signature covers what is there, and not what ought to be.
        body: The bytes of the body.
        now: Seconds since the epoch.
    """
    parameters: dict[str, str] = {}
    for name, value in query:
        # Given twice, what is signed and what is read could differ.
        if name.lower() in parameters:
            raise InvalidSignature(f"The parameter {name[:40]} is given twice")
        parameters[name.lower()] = value
    if not same(parameters.get("auth_key", ""), app.key):
        raise InvalidSignature("Unknown auth_key")
    if parameters.get("auth_version") != "1.0":
        raise InvalidSignature("auth_version must be 1.0")
    _check_timestamp(parameters.get("auth_timestamp", ""), now)
    _check_body(parameters.get("body_md5"), body)
    signature = parameters.pop("auth_signature", "")
    signed = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    if not same(signature, sign(app.secret, f"{method.upper()}\n{path}\n{signed}")):
        raise InvalidSignature("Invalid auth_signature")


def _check_key(app: Application, key: str, purpose: str) -> None:
    # The key is public: saying that it is the wrong one gives nothing away.
    if not same(key, app.key):
        shown = "it is the app's secret" if same(key, app.secret) else f"'{key[:100]}'"
        raise InvalidSignature(f"Invalid key in {purpose} auth data: {shown}")


def _check_timestamp(text: str, now: float) -> None:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidSignature("auth_timestamp must be a number of seconds")
    if abs(now - int(text)) > TIMESTAMP_WINDOW:
        raise InvalidSignature(
            f"auth_timestamp is more than {TIMESTAMP_WINDOW} seconds from the server's clock"
        )


def _check_body(claimed: str | None, body: bytes) -> None:
    if claimed is None:
        if body:
            raise InvalidSignature("body_md5 is required with a body")
    # MD5 is the protocol's choice; what protects the body is the HMAC around it.
    elif not same(claimed, hashlib.md5(body, usedforsecurity=False).hexdigest()):
        raise InvalidSignature("body_md5 does not match the body")


def same(given: str, expected: str) -> bool:
    """Compare two texts, in a time that does not tell where they differ."""
    if not (given.isascii() and expected.isascii()):
        return hmac.compare_digest(_bytes(given), _bytes(expected))
    return hmac.compare_digest(given, expected)


def _bytes(text: str | bytes) -> bytes:
    # JSON can carry lone surrogates; "replace" would let two different texts sign alike.
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
