"""Who may subscribe to a channel, and as whom. Nobody may, unless a rule says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from drf_model_pusher.authorization import encryption
from drf_model_pusher.authorization.permission_rules import permission_rule
from drf_model_pusher.authorization.presence import presence_data
from drf_model_pusher.authorization.refusals import Refused, Refusing, is_inactive
from drf_model_pusher.authorization.signing import sign_channel
from drf_model_pusher.authorization.view_questions import ask
from drf_model_pusher.authorization.view_rules import ViewRule, view_rule
from drf_model_pusher.channels import ChannelKind, is_valid_name
from drf_model_pusher.conf import app_settings
from drf_model_pusher.events import is_valid_socket_id
from drf_model_pusher.registry import registry
from drf_model_pusher.rules import ChannelRules

if TYPE_CHECKING:
    from rest_framework.request import Request


class Doorkeeper:
    """Answers for the channels that one request asks for; no rule is asked twice."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._answers: dict[ViewRule, Request | Refused] = {}

    def admit(self, socket_id: str, channel: str) -> dict[str, str]:
        """Return what lets the connection into the channel.

        Raises:
            Refused: It may not come in, or nobody may be asked.
        """
        if not is_valid_socket_id(socket_id):
            raise Refused("the socket id is malformed")
        backend, reader = self._find(channel)
        data = None
        if ChannelKind.of(channel) is ChannelKind.PRESENCE:
            with Refusing(f"{type(backend).__qualname__}.get_presence_data()"):
                data = presence_data(backend, reader)
        key, secret = app_settings.PUSHER_KEY, app_settings.PUSHER_SECRET
        answer = {
            "auth": sign_channel(
                key, secret, socket_id=socket_id, channel=channel, channel_data=data
            )
        }
        if data is not None:
            answer["channel_data"] = data
        if ChannelKind.of(channel) is ChannelKind.ENCRYPTED:
            with Refusing(type(backend).__qualname__, queries=False):
                answer["shared_secret"] = encryption.secret_for(socket_id, channel)
        return answer

    def _find(self, channel: str) -> tuple[ChannelRules, Request]:
        """Return a backend that grants the channel, and the request as its rule sees it.

        Several backends may push to one channel. Whoever subscribes hears them all, so all that
        can understand the name must grant it; one that breaks down over it has not.
        """
        if not is_valid_name(channel) or ChannelKind.of(channel) is ChannelKind.PUBLIC:
            raise Refused("only private, presence and encrypted channels are authorized")
        granted = [
            (backend, self._ask(backend, channel, fields)) for backend, fields in _readings(channel)
        ]
        if not granted:
            raise Refused("no backend answers for it: see `channels` and `match_channel()`")
        return granted[0]

    def _ask(self, backend: ChannelRules, channel: str, fields: Mapping[str, Any]) -> Request:
        """Ask all the rules of a backend; return the request as the view sees it."""
        name = type(backend).__qualname__
        readers = []
        if backend.view_class is not None:
            readers.append(self._ask_view(view_rule, backend, fields))
        if backend.permission_classes is not None:
            readers.append(self._ask_view(permission_rule, backend, fields))
        if backend.permits_by_itself():
            self._ask_method(backend, channel, fields)
            readers.append(self._request)
        if not readers:
            raise Refused(
                f"{name} has no rule: give it a `view_class`, `permission_classes` or a "
                "`has_channel_permission()`"
            )
        return readers[0]

    def _ask_method(self, backend: ChannelRules, channel: str, fields: Mapping[str, Any]) -> None:
        if is_inactive(self._request.user):
            raise Refused("the user is inactive")
        source = f"{type(backend).__qualname__}.has_channel_permission()"
        with Refusing(source):
            answer = backend.has_channel_permission(self._request, channel, **fields)
        # Not merely true: an async method, or a class that is no answer yet, is an object as well.
        if answer is not True:
            raise Refused(f"{source} does not return True")

    def _ask_view(
        self,
        make_rule: Callable[[ChannelRules, Mapping[str, Any]], ViewRule],
        backend: ChannelRules,
        fields: Mapping[str, Any],
    ) -> Request:
        with Refusing(type(backend).__qualname__):
            rule = make_rule(backend, fields)
            known = self._answers.get(rule)
        if known is None:
            try:
                known = ask(rule, self._request)
            except Refused as refused:
                known = refused
            self._answers[rule] = known
        if isinstance(known, Refused):
            raise known
        return known


def _readings(channel: str) -> list[tuple[ChannelRules, Mapping[str, Any]]]:
    """Return every way in which backends can understand a channel name."""
    found: list[tuple[ChannelRules, Mapping[str, Any]]] = []
    for backend_class in registry:
        backend = backend_class()
        with Refusing(backend_class.__qualname__, queries=backend.matches_by_itself()):
            found += [(backend, fields) for fields in backend.readings(channel)]
    return found
