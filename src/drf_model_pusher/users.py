"""Users as Pusher knows them: their ids, events for one of them, and ending their connections."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS

from drf_model_pusher.changes.block import record
from drf_model_pusher.changes.recording import record_event
from drf_model_pusher.conf import app_settings
from drf_model_pusher.events import USER_CHANNEL_PREFIX, PusherEvent
from drf_model_pusher.providers import get_provider
from drf_model_pusher.user_ids import user_id


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
    connection, and whoever connects again must pass the rules again. The delivery tells the
    service, and tries again as it does with events; a failure is logged and never raised, because
    the right is gone already. It reaches signed-in connections only.

    Args:
        user: Whose right was taken away; before it is deleted, if it is.
        using: The alias of the database whose transaction decides.
    """
    if not app_settings.DRF_MODEL_PUSHER_DISABLED:
        # The id now: after the commit a deleted user has none.
        record([PusherEvent.termination(user_id(user))], using or DEFAULT_DB_ALIAS)
