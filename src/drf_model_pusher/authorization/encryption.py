"""The secrets of encrypted channels, and changing the key that they come from."""

from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.core.cache import caches

from drf_model_pusher.authorization.signing import shared_secret
from drf_model_pusher.channels import is_cache_channel
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import DeclarationError

logger = logging.getLogger("drf_model_pusher")

#: Seconds in which several events that a client could not read are one failure.
_TOGETHER = 1.0

#: Seconds that an answer is remembered; longer than any cached event lives (30 minutes).
_REMEMBERED = 3_600


def secret_for(socket_id: str, channel: str) -> str:
    """Return the secret that a connection needs to read an encrypted channel.

    It comes from the current key. While an older key is set, processes of the old settings may
    still encrypt with that one, and so are events in Pusher's cache. pusher-js can hold one secret
    and asks again for each event that it cannot read: then the answer is the other key's, unless
    it asked a moment ago, as it does when several events fail together.
    """
    keys = _master_keys()
    position = _position(socket_id, channel) % len(keys) if len(keys) > 1 else 0
    return shared_secret(channel, keys[position])


def decrypt(channel: str, box: Any) -> str:
    """Return the text of an encrypted event, by the current master key or the older one.

    Args:
        channel: The full name of its channel.
        box: ``nonce`` and ``ciphertext``, each in base64.

    Raises:
        ValueError: It is no such thing, or neither key fits.
    """
    # It comes with the official client; processes that never read an event are spared it.
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    if not isinstance(box, Mapping):
        raise ValueError("not encrypted")  # noqa: TRY004 - as for all else that is no such thing
    try:
        nonce, ciphertext = (base64.b64decode(box[name]) for name in ("nonce", "ciphertext"))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("not encrypted as Pusher's clients do it") from error
    try:
        keys = _master_keys()
    except DeclarationError as error:
        raise ValueError("encrypted; PUSHER_ENCRYPTION_MASTER_KEY_BASE64 is not set") from error
    for key in keys:
        with suppress(CryptoError, ValueError):
            secret = base64.b64decode(shared_secret(channel, key))
            return SecretBox(secret).decrypt(ciphertext, nonce).decode()
    raise ValueError("encrypted with another master key")


def _master_keys() -> list[bytes]:
    """Return the current key and, where it is set, the older one."""
    current = app_settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64
    if not current:
        raise DeclarationError(
            "Encrypted channels need the setting PUSHER_ENCRYPTION_MASTER_KEY_BASE64: the output "
            "of `openssl rand -base64 32`."
        )
    older = app_settings.PUSHER_ENCRYPTION_OLDER_MASTER_KEY_BASE64
    return [base64.b64decode(key) for key in (current, older) if key]


def _position(socket_id: str, channel: str) -> int:
    """Return 0 for the current key or 1 for the older one, and remember the answer."""
    cache = caches[app_settings.DRF_MODEL_PUSHER_CACHE]
    # A digest: both together may be longer than a key of Memcached.
    asker = hashlib.sha256(f"{socket_id}:{channel}".encode()).hexdigest()
    entry = f"drf-model-pusher:secret:{asker}"
    now = time.time()
    try:
        asked, position, at = cache.get(entry, (0, 0, 0.0))
        # The first event of a cache channel comes at once, and may be of the older key.
        is_last_event = asked == 1 and is_cache_channel(channel)
        if asked and (now - at > _TOGETHER or is_last_event):
            position = 1 - position
        cache.set(entry, (asked + 1, position, now), _REMEMBERED)
    except Exception as error:  # noqa: BLE001 - each cache has exceptions of its own
        logger.warning("older master key unused reason=cache error=%s", type(error).__name__)
        return 0
    return int(position)
