"""Users as Pusher knows them: their ids, events for one of them, and ending their connections."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.db import transaction

from drf_model_pusher.changes.recording import record_event
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.providers import get_provider
from drf_model_pusher.user_ids import user_id

logger = logging.getLogger("drf_model_pusher")

#: How often the service is told that connections are to end; nobody else will.
_ATTEMPTS = 3

USER_CHANNEL_PREFIX = "#server-to-user-"


def send_to_user(user: Any, event_name: str, data: Any, *, using: str | None = None) -> None:
    """Push an event to all connections of one signed-in user, after the commit.

    Args:
        user: The user.
        event_name: As ``pusher.user.bind()`` names it in the browser.
        data: Anything that a DRF response could carry.
        using: The alias of the database whose transaction decides.
    """
    channel = USER_CHANNEL_PREFIX + user_id(user)
    if not app_settings.DRF_MODEL_PUSHER_DISABLED:
        record_event([channel], event_name, data, using=using)


def terminate_user(user: Any) -> None:
    """End, now, the connections that have signed in as this user.

    The close code is 4009, upon which pusher-js does not connect again by itself.

    Raises:
        ProviderError: The service could not be told; the connections may live on.
    """
    if not app_settings.DRF_MODEL_PUSHER_DISABLED:
        get_provider().terminate_user(user_id(user))


def revoke(user: Any, *, using: str | None = None) -> None:
    """End a user's connections once the current transaction is committed.

    Call it where a right is taken away: a subscription that was granted lasts as long as its
    connection, and whoever connects again must pass the rules again. A failure is logged and never
    raised, because the right is gone already. It reaches signed-in connections only.

    Args:
        user: Whose right was taken away; before it is deleted, if it is.
        using: The alias of the database whose transaction decides.
    """
    if not app_settings.DRF_MODEL_PUSHER_DISABLED:
        # The id now: after the commit a deleted user has none.
        transaction.on_commit(partial(_terminate_or_log, user_id(user)), using=using)


def _terminate_or_log(identifier: str) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            get_provider().terminate_user(identifier)
        except Exception as error:  # noqa: BLE001 - the right is gone, whatever is wrong here
            if getattr(error, "retryable", False) and attempt < _ATTEMPTS:
                continue
            told = error if isinstance(error, ProviderError) else type(error).__name__
            logger.error("connections not ended user=%s error=%s", identifier, told)  # noqa: TRY400
        return
