"""Who may subscribe to a channel, and as whom. Nobody may, unless a rule says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from drf_model_pusher.authorization import encryption
from drf_model_pusher.authorization.asking import Answer, ask
from drf_model_pusher.authorization.evidence import check_answer
from drf_model_pusher.authorization.gets import Get, resolve_get
from drf_model_pusher.authorization.permission_rules import permission_get
from drf_model_pusher.authorization.presence import presence_data
from drf_model_pusher.authorization.refusals import Refused, Refusing, is_inactive
from drf_model_pusher.authorization.signing import sign_channel
from drf_model_pusher.channels import ChannelKind, is_valid_name
from drf_model_pusher.conf import app_settings
from drf_model_pusher.events import is_valid_socket_id
from drf_model_pusher.registry import registry
from drf_model_pusher.rules import ChannelRules

if TYPE_CHECKING:
    from rest_framework.request import Request


class ChannelAuthorizer:
    """Answers for the channels that one request asks for; no GET is made twice."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._answers: dict[str, Answer | Refused] = {}

    def authorize(self, socket_id: str, channel: str) -> dict[str, str]:
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
            raise Refused(f"no backend answers for it{_known(channel)}")
        return granted[0]

    def _ask(self, backend: ChannelRules, channel: str, fields: Mapping[str, Any]) -> Request:
        """Ask all the rules of a backend; return the request as the view sees it."""
        name = type(backend).__qualname__
        readers = []
        if backend.view_class is not None or backend.view_name is not None:
            readers.append(
                self._get(name, lambda: resolve_get(backend, fields, self._request._request))
            )
        if backend.permission_classes is not None:
            readers.append(
                self._get(name, lambda: [permission_get(backend, fields, self._request)])
            )
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

    def _get(self, source: str, resolve: Callable[[], Iterable[Get]]) -> Request:
        """Make all GETs that a rule stands for; return the request that the view has seen."""
        with Refusing(source):
            gets = resolve()
        request: Any = None
        for get in gets:
            answer = self._answers.get(get.path)
            if answer is None:
                try:
                    answer = ask(get, self._request)
                except Refused as refused:
                    answer = refused
                self._answers[get.path] = answer
            if isinstance(answer, Refused):
                raise answer
            with Refusing(source):
                check_answer(answer, get.subject)
            request = answer.view.request
        return request  # type: ignore[no-any-return]


def _readings(channel: str) -> list[tuple[ChannelRules, Mapping[str, Any]]]:
    """Return every way in which backends can understand a channel name."""
    found: list[tuple[ChannelRules, Mapping[str, Any]]] = []
    for backend_class in registry:
        backend = backend_class()
        with Refusing(backend_class.__qualname__, queries=backend.matches_by_itself()):
            found += [(backend, fields) for fields in backend.readings(channel)]
    return found


def _known(channel: str) -> str:
    """Return, for developers, what there is instead of a channel."""
    bare = channel.removeprefix(ChannelKind.of(channel).value)
    for kind in ChannelKind:
        if kind is not ChannelKind.of(channel) and _readings(kind.value + bare):
            return f": it is a channel of another kind, {kind.value + bare!r}"
    texts = [template.text for backend in registry for template in backend().templates()]
    shown = ", ".join(dict.fromkeys(texts)) or "none"
    return f"; the templates are {shown}; other names need a `match_channel()`"
