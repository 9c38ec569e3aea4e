"""Listening to channels of the configured service, as the operator who holds its secret.

https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drf_model_pusher.authorization.encryption import decrypt
from drf_model_pusher.authorization.signing import sign_channel
from drf_model_pusher.channels import ChannelKind, check_name
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import InvalidEventError, ModelPusherException
from drf_model_pusher.extras import install_line

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

MESSAGE = f"Listening needs one more package: {install_line('listen')}"

#: What the service says once a subscription stands, and what it says of errors.
SUBSCRIBED = "pusher_internal:subscription_succeeded"
ERRORS = ("pusher:error", "pusher:subscription_error")

#: What members of a presence channel see of the listener.
MEMBER = {"user_id": "pusher_listen", "user_info": {"name": "pusher_listen"}}

# Seconds: a pong may take; between two tries to connect, doubled up to the longest.
_PONG, _PAUSE, _LONGEST_PAUSE = 30.0, 1.0, 30.0

# Of one frame: far above what any service takes as an event.
_MAX_BYTES = 16 * 2**20


class ListeningError(ModelPusherException):
    """The service cannot be listened to, and trying again would not help."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """Something that the service said."""

    channel: str | None
    event: str
    data: Any
    """Python values, or text that is no JSON; decrypted where the channel is encrypted."""
    user_id: str | None = None
    """Who sent it: with client events on presence channels."""


class _Closed(Exception):  # noqa: N818 - connections end; it is what happens then that matters
    """The connection has ended."""

    def __init__(self, code: int, reason: str, *, greeted: bool) -> None:
        super().__init__(f"{code} {reason}".rstrip())
        self.code, self.greeted = code, greeted


class _Over(Exception):  # noqa: N818 - it is what was asked for
    """The time is over."""


class Listener:
    """Subscribes to channels and gives what is heard, over as many connections as that takes.

    Attributes:
        connections: How many have been greeted by the service.
    """

    def __init__(self, channels: Sequence[str], *, timeout: float | None = None) -> None:
        """Get ready.

        Args:
            channels: Full names; those of private, presence and encrypted channels are signed.
            timeout: Seconds after which nothing more is given; None for never.

        Raises:
            ListeningError: A name is none, or the settings lack what it takes.
        """
        for channel in channels:
            try:
                check_name(channel)
            except InvalidEventError as error:
                raise ListeningError(str(error)) from error
        if not app_settings.PUSHER_KEY or not app_settings.PUSHER_SECRET:
            raise ListeningError("Listening needs PUSHER_KEY and PUSHER_SECRET.")
        self._channels = list(dict.fromkeys(channels))
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self.connections = 0

    def __iter__(self) -> Iterator[Heard]:
        """Give what is heard, until the time is over.

        Raises:
            ListeningError: The service refuses, or was never reached.
        """
        setbacks = 0
        with suppress(_Over):
            while True:
                try:
                    yield from self._connection()
                except _Closed as closed:
                    setbacks = 0 if closed.greeted else setbacks + 1
                    self._wait_after(closed, setbacks)

    def _connection(self) -> Iterator[Heard]:
        """Give what one connection hears, until it is closed or the time is over."""
        greeted = False
        with ExitStack() as stack:
            socket = self._connect(stack)
            from websockets.exceptions import ConnectionClosed

            try:
                activity = self._greeting(socket)
                greeted = True
                self.connections += 1
                while True:
                    if heard := self._hear(socket, activity):
                        yield heard
            except ConnectionClosed as error:
                code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (1006, "")
                raise _Closed(code, reason, greeted=greeted) from error

    def _connect(self, stack: ExitStack) -> ClientConnection:
        try:
            from websockets.exceptions import InvalidHandshake
            from websockets.sync.client import connect
        except ImportError as error:
            raise ListeningError(MESSAGE) from error
        address = service_address()
        context = None
        if address.startswith("wss:"):
            context = ssl.create_default_context(cafile=app_settings.PUSHER_CA_BUNDLE)
        path = f"{app_settings.PUSHER_PATH}/app/{app_settings.PUSHER_KEY}"
        url = f"{address}{path}?protocol=7&client=python-drf-model-pusher"
        timeout = self._left(app_settings.PUSHER_TIMEOUT)
        try:
            return stack.enter_context(
                connect(
                    url, ssl=context, open_timeout=timeout, close_timeout=1, max_size=_MAX_BYTES
                )
            )
        except (OSError, InvalidHandshake, EOFError) as error:
            self._left(1)
            text = f"{address} cannot be listened to: {_reason(error)}"
            if not self.connections:
                raise ListeningError(text) from error
            # It was there, and may come back.
            raise _Closed(1006, text, greeted=False) from error

    def _greeting(self, socket: ClientConnection) -> float:
        """Subscribe once the service has greeted; return the seconds of silence that it allows."""
        while True:
            text = self._receive(socket, app_settings.PUSHER_TIMEOUT)
            if text is None:
                raise ListeningError("The service takes connections, and says nothing.")
            frame = _decode(text)
            if frame.get("event") in ERRORS:
                continue  # the code that it closes with decides
            data = frame.get("data")
            if frame.get("event") != "pusher:connection_established" or not isinstance(data, dict):
                raise ListeningError("The service does not speak Pusher's protocol.")
            for channel in self._channels:
                subscription = _subscription(str(data.get("socket_id")), channel)
                socket.send(json.dumps({"event": "pusher:subscribe", "data": subscription}))
            return float(data.get("activity_timeout") or 120)

    def _hear(self, socket: ClientConnection, activity: float) -> Heard | None:
        """Return the next thing that is said, if it is for others than this connection."""
        text = self._receive(socket, activity)
        if text is None:
            socket.send('{"event":"pusher:ping","data":{}}')
            text = self._receive(socket, _PONG)
        if text is None:
            raise _Closed(4201, "no pong", greeted=True)
        frame = _decode(text)
        event, channel = str(frame.get("event")), frame.get("channel")
        if event == "pusher:ping":
            socket.send('{"event":"pusher:pong","data":{}}')
        if event in ("pusher:ping", "pusher:pong"):
            return None
        data = frame.get("data")
        if isinstance(channel, str) and not event.startswith(("pusher:", "pusher_internal:")):
            data = _opened(channel, data)
        return Heard(channel=channel, event=event, data=data, user_id=frame.get("user_id"))

    def _receive(self, socket: ClientConnection, wait: float) -> str | bytes | None:
        """Return the next frame, or None where there is none for some seconds."""
        try:
            return socket.recv(self._left(wait))
        except TimeoutError:
            self._left(1)
            return None

    def _left(self, seconds: float) -> float:
        """Return a wait that ends when the time is over; raise _Over when it is."""
        if self._deadline is None:
            return seconds
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _Over
        return min(seconds, left)

    def _wait_after(self, closed: _Closed, setbacks: int) -> None:
        """Wait as the code says, or say that there is no coming back."""
        if 4000 <= closed.code < 4100 or 4300 <= closed.code < 5000:
            raise ListeningError(f"The service ended the connection for good: {closed}")
        # At once, but not from a door that is shut again and again.
        at_once = 4200 <= closed.code < 4300 and not setbacks
        pause = 0.0 if at_once else min(_LONGEST_PAUSE, _PAUSE * 2.0 ** max(0, setbacks - 1))
        time.sleep(self._left(pause))


def service_address() -> str:
    """Return scheme, host and port of the WebSocket side of the configured service."""
    host = app_settings.PUSHER_HOST or f"ws-{app_settings.PUSHER_CLUSTER}.pusher.com"
    scheme, port = ("wss", 443) if app_settings.PUSHER_SSL else ("ws", 80)
    return f"{scheme}://{host}:{app_settings.PUSHER_PORT or port}"


def _subscription(socket_id: str, channel: str) -> Mapping[str, str]:
    kind = ChannelKind.of(channel)
    if kind is ChannelKind.PUBLIC:
        return {"channel": channel}
    more = {"channel_data": json.dumps(MEMBER)} if kind is ChannelKind.PRESENCE else {}
    key, secret = app_settings.PUSHER_KEY, app_settings.PUSHER_SECRET
    auth = sign_channel(
        key, secret, socket_id=socket_id, channel=channel, channel_data=more.get("channel_data")
    )
    return {"channel": channel, "auth": auth, **more}


def _opened(channel: str, data: Any) -> Any:
    """Return the data of an event, decrypted where the channel is encrypted."""
    if ChannelKind.of(channel) is not ChannelKind.ENCRYPTED:
        return data
    try:
        return _loaded(decrypt(channel, data))
    except ValueError as error:
        return f"({error})"


def _decode(text: str | bytes) -> dict[str, Any]:
    """Return a frame with its data decoded, which comes as JSON within JSON."""
    frame = _loaded(text)
    if not isinstance(frame, dict):
        raise ListeningError("The service does not speak Pusher's protocol.")
    return {**frame, "data": _loaded(frame.get("data"))}


def _loaded(data: Any) -> Any:
    if isinstance(data, (str, bytes)):
        with suppress(ValueError, RecursionError):
            return json.loads(data)
    return data


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"it answers {response.status_code}, and is no WebSocket server there"
    return str(error) or type(error).__name__
