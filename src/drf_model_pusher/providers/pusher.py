"""The provider for Pusher's service and every server that speaks its protocol."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.conf import app_settings
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.packing import Call, Item, pack
from drf_model_pusher.providers.base import BatchProvider, before_call

if TYPE_CHECKING:
    from pusher import Pusher

    from drf_model_pusher.providers.transport import Transport

_ENCRYPTED = ChannelKind.ENCRYPTED.value


class PusherProvider(BatchProvider):
    """Sends events over the HTTP API, as few calls as its limits allow."""

    _transport: Transport | None = None

    def configure(self) -> None:
        """Make the client now, so that settings which make none fail before the first event."""
        _ = self.client

    @cached_property
    def client(self) -> Pusher:
        """The official client, made from the ``PUSHER_…`` settings."""
        # The library loads cryptography and requests: processes that never push are spared that.
        from pusher import Pusher

        return Pusher(
            app_id=app_settings.PUSHER_APP_ID,
            key=app_settings.PUSHER_KEY,
            secret=app_settings.PUSHER_SECRET,
            cluster=app_settings.PUSHER_CLUSTER,
            host=app_settings.PUSHER_HOST,
            port=app_settings.PUSHER_PORT,
            ssl=app_settings.PUSHER_SSL,
            timeout=app_settings.PUSHER_TIMEOUT,
            encryption_master_key_base64=app_settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64,
            backend=self._make_transport,
        )

    @property
    def transport(self) -> Transport:
        """The connections to the HTTP API."""
        if self._transport is None:
            _ = self.client  # which makes it
        return cast("Transport", self._transport)

    def _make_transport(self, client: Any) -> Transport:
        from drf_model_pusher.providers.transport import Transport

        # The official client asks twice; the second time for a part of it that sends nothing.
        if self._transport is None:
            self._transport = Transport(
                client, ca_bundle=app_settings.PUSHER_CA_BUNDLE, prefix=app_settings.PUSHER_PATH
            )
        return self._transport

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Send events in their order; a failure says exactly which of them, and how far, had left.

        Raises:
            ProviderError: The service could not be reached, or refused a call.
        """
        calls = pack(events, app_settings.DRF_MODEL_PUSHER_MAX_REQUEST_BYTES)
        for position, call in enumerate(calls):
            try:
                if position:
                    before_call()
                self._make(call)
            except ProviderError as error:
                self._say_what_left(error, calls, position)
                raise

    def occupied_channels(
        self, prefix: str = "", attributes: Sequence[str] = ()
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return the channels that somebody has subscribed to, in one call.

        Raises:
            ProviderError: The service could not be reached, refused the call, or answered with
                something else.
        """
        params = {"filter_by_prefix": prefix, "info": ",".join(attributes)}
        answer = self.request("GET", "channels", {k: v for k, v in params.items() if v})
        channels = answer.get("channels") if isinstance(answer, dict) else None
        if channels == []:  # Laravel Reverb's way to say that there are none
            return {}
        if not isinstance(channels, dict):
            raise ProviderError("the answer to GET channels has no channels", retryable=True)
        return {name: info if isinstance(info, dict) else {} for name, info in channels.items()}

    def terminate_user(self, user_id: str) -> None:
        """End all connections that have signed in as this user, with the close code 4009.

        Raises:
            ProviderError: The service could not be reached, or refused the call; or the id is one
                that no address can hold.
        """
        if user_id in ("", ".", ".."):
            raise ProviderError("this user id cannot be part of an address")
        # What else ids may have stays as it is, since the signature is over the path.
        segment = quote(user_id, safe="=@,;")
        # The official client's own method leaves /apps/<app id> out of the path.
        self.request("POST", f"users/{segment}/terminate_connections")

    def request(self, method: str, path: str, params: dict[str, Any] | None = None) -> Any:
        """Call the HTTP API at ``/apps/<app id>/<path>`` and return the decoded answer.

        Raises:
            ProviderError: The service could not be reached, or refused the call.
        """
        return self.transport.call(method, path, params)

    def _make(self, call: Call) -> None:
        if len(call.items) > 1:
            batch = [{"channel": item.channels[0], **self._encode(item)} for item in call.items]
            self.request("POST", "batch_events", {"batch": batch})
        else:
            (item,) = call.items
            self.request("POST", "events", {"channels": list(item.channels), **self._encode(item)})

    def _encode(self, item: Item) -> dict[str, Any]:
        """Return what an item says, besides its channels."""
        event, channel = item.event, item.channels[0]
        encrypted = channel.startswith(_ENCRYPTED)
        data = self._encrypt(channel, event.data) if encrypted else event.data
        params = {"name": event.name, "data": data}
        if event.socket_id:
            params["socket_id"] = event.socket_id
        return params

    def _encrypt(self, channel: str, data: str) -> str:
        from pusher.crypto import encrypt

        key = app_settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64
        if not key:
            raise ProviderError(
                f"{channel!r} needs the setting PUSHER_ENCRYPTION_MASTER_KEY_BASE64."
            )
        return json.dumps(encrypt(channel, data, b64decode(key)), separators=(",", ":"))

    def _say_what_left(self, error: ProviderError, calls: Sequence[Call], position: int) -> None:
        """Tell by the calls made which events have left, and what is left of the next one."""
        call = calls[position]
        first = call.items[0]
        error.sent, error.refused = first.index, call.items[-1].index - first.index + 1
        served = {
            channel
            for earlier in calls[:position]
            for item in earlier.items
            if item.index == first.index
            for channel in item.channels
        }
        if served:
            rest = tuple(channel for channel in first.event.channels if channel not in served)
            error.partial = replace(first.event, channels=rest)
