"""Which webhooks can be trusted: the signature over their raw body.

https://pusher.com/docs/channels/server_api/webhooks/#security
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from drf_model_pusher.conf import app_settings


def trusted_keys() -> dict[str, str]:
    """Return the keys whose webhooks are trusted, each with its secret."""
    keys = dict(app_settings.PUSHER_EXTRA_KEYS)
    # Without its secret a key would sign with nothing, as anybody can.
    if app_settings.PUSHER_KEY and app_settings.PUSHER_SECRET:
        keys[app_settings.PUSHER_KEY] = app_settings.PUSHER_SECRET
    return keys


def is_signed(headers: Mapping[str, str], body: bytes) -> bool:
    """Say whether a webhook comes from somebody who knows the secret of a trusted key.

    Args:
        headers: Of the request, by any spelling of their names.
        body: Its bytes as they came: JSON that was parsed and written again has another signature.
    """
    secret = trusted_keys().get(headers.get("X-Pusher-Key", ""))
    if secret is None:
        return False
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = headers.get("X-Pusher-Signature", "")
    # As bytes, because texts that are not ASCII cannot be compared; in a time that does not tell
    # how much of a guess was right.
    return hmac.compare_digest(expected.encode(), given.encode(errors="replace"))
