"""The signatures and secrets that let a connection in. Pure.

Whoever calls these has decided that the connection may come in, and has checked ``socket_id`` and
the channel's name first: the signed text joins them by colons, so that a ``socket_id`` of
``1.1:presence-room`` would give a signature for another channel.

https://pusher.com/docs/channels/library_auth_reference/auth-signatures/
"""

from __future__ import annotations

import base64
import hashlib
import hmac


def sign_channel(
    key: str, secret: str, *, socket_id: str, channel: str, channel_data: str | None = None
) -> str:
    """Return the ``auth`` of a subscription; ``channel_data`` is the exact text that is sent."""
    parts = [socket_id, channel, *([] if channel_data is None else [channel_data])]
    return f"{key}:{_signature(secret, ':'.join(parts))}"


def sign_user(key: str, secret: str, *, socket_id: str, user_data: str) -> str:
    """Return the ``auth`` of a sign-in; ``user_data`` is the exact text that is sent."""
    return f"{key}:{_signature(secret, f'{socket_id}::user::{user_data}')}"


def shared_secret(channel: str, master_key: bytes) -> str:
    """Return, in base64, the secret of 32 bytes that an encrypted channel's readers share.

    https://pusher.com/docs/channels/using_channels/encrypted-channels/
    """
    return base64.b64encode(hashlib.sha256(channel.encode() + master_key).digest()).decode()


def _signature(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
