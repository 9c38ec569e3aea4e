"""The endpoints that pusher-js asks before it subscribes, and before it signs in."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import APIException, ParseError, PermissionDenied
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView, exception_handler

from drf_model_pusher.authorization.asking import remember_session_user
from drf_model_pusher.authorization.authorizer import ChannelAuthorizer
from drf_model_pusher.authorization.refusals import Refused, is_inactive
from drf_model_pusher.authorization.requests import (
    MAX_BODY,
    AuthorizationSerializer,
    SignInSerializer,
)
from drf_model_pusher.authorization.signing import sign_user
from drf_model_pusher.conf import app_settings
from drf_model_pusher.occupancy.state import expect
from drf_model_pusher.rendering.encoding import encode_plain
from drf_model_pusher.user_ids import display_name, user_id

logger = logging.getLogger("drf_model_pusher")

#: Users whose coming and going one user may be told of.
#: https://pusher.com/docs/channels/using_channels/watchlist-events/
MAX_WATCHLIST = 100


class _TooLarge(APIException):
    status_code = 413
    default_detail = f"The body has more than {MAX_BODY:,} bytes."
    default_code = "too_large"


class _OneFormat(DefaultContentNegotiation):
    """Answers in the view's only format, whatever a browser says that it likes best."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class _PusherView(APIView):
    """What both endpoints are: the project's own authentication and throttles, one wire format.

    SessionAuthentication asks for a CSRF token here, as for every POST.
    """

    # Rules decide, and some let everybody in.
    permission_classes = (AllowAny,)
    # pusher-js speaks no other format, whatever the project's API does.
    parser_classes = (FormParser, JSONParser, MultiPartParser)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = _OneFormat
    versioning_class = None
    throttle_scope: str | None = "pusher"
    serializer_class: type[Serializer[Any]]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Remember the user of the session, whom authentication here may replace."""
        remember_session_user(request)
        return super().initialize_request(request, *args, **kwargs)

    def check_throttles(self, request: Request) -> None:
        """Throttle by scope only where the project has a rate for it; DRF would raise."""
        rates = [getattr(each, "THROTTLE_RATES", {}) for each in self.throttle_classes]
        if not any(self.throttle_scope in each for each in rates):
            self.throttle_scope = None
        super().check_throttles(request)

    def get_exception_handler(self) -> Any:
        """Return DRF's own: pusher-js reads the status, which an envelope may hide."""
        return exception_handler

    def handle_exception(self, exc: Exception) -> Response:
        """Keep the reason of a refusal with its answer, for the tools of developers."""
        response: Any = super().handle_exception(exc)
        response.refused = exc.__cause__ if isinstance(exc.__cause__, Refused) else None
        return response  # type: ignore[no-any-return]

    def validated(self, request: Request) -> dict[str, Any]:
        """Return what the request holds; 400 answers a malformed one, 413 a huge one."""
        length = str(request.META.get("CONTENT_LENGTH") or 0)
        if length.isdecimal() and int(length[:20]) > MAX_BODY:
            raise _TooLarge
        try:
            # Python's codecs that are not of text, zlib's say, are found by a charset as well.
            "".encode((request.content_params or {}).get("charset") or "utf-8")
            serializer = self.serializer_class(data=request.data)
        except RecursionError as error:
            raise ParseError("It is nested too deeply.") from error
        except (UnicodeError, LookupError) as error:  # of a charset that a parser cannot use
            raise ParseError("It is no text of its charset.") from error
        serializer.is_valid(raise_exception=True)
        validated: dict[str, Any] = serializer.validated_data
        return validated


class AuthorizationView(_PusherView):
    """Lets a connection into private, presence and encrypted channels, if their rules say so.

    One channel is answered as pusher-js expects: 200 with its ``auth``, or 403. Several, or one in
    brackets, are answered as its plugin pusher-js-auth expects: always 200, with a status of each.
    """

    serializer_class = AuthorizationSerializer

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Authorize one channel or several."""
        asked = self.validated(request)
        authorizer = ChannelAuthorizer(request)
        socket_id, names = asked["socket_id"], asked["channel_name"]
        if isinstance(names, str):
            return Response(self._authorize(authorizer, socket_id, names))
        return Response({name: self._each(authorizer, socket_id, name) for name in names})

    def _each(self, authorizer: ChannelAuthorizer, socket_id: str, channel: str) -> dict[str, Any]:
        try:
            return {"status": 200, "data": self._authorize(authorizer, socket_id, channel)}
        except PermissionDenied as denied:
            return {"status": denied.status_code, "data": {"detail": denied.detail}}

    def _authorize(
        self, authorizer: ChannelAuthorizer, socket_id: str, channel: str
    ) -> dict[str, str]:
        try:
            ticket = authorizer.authorize(socket_id, channel)
        except Refused as refused:
            raise _denied(refused) from refused
        expect(channel)
        return ticket


class UserAuthenticationView(_PusherView):
    """Signs the connection of a user in, for ``pusher.signin()``."""

    # For subclasses

    serializer_class = SignInSerializer

    def get_user_info(self, request: Request) -> dict[str, Any]:
        """Return what those who watch the user may know."""
        return {"name": display_name(request.user)}

    def get_watchlist(self, request: Request) -> list[str]:
        """Return the ids of users whose coming and going this one is told of; 100 are taken."""
        return []

    # You should not need to override

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Sign the user in."""
        socket_id = self.validated(request)["socket_id"]
        if not getattr(request.user, "is_authenticated", False):
            raise _denied(Refused("nobody is signed in"))
        if is_inactive(request.user):
            raise _denied(Refused("the user is inactive"))
        data = {"id": user_id(request.user), "user_info": self.get_user_info(request)}
        if watchlist := list(self.get_watchlist(request)):
            if len(watchlist) > MAX_WATCHLIST:
                told = (data["id"], len(watchlist), MAX_WATCHLIST)
                logger.warning("watchlist cut off user=%s users=%d limit=%d", *told)
            data["watchlist"] = [str(each) for each in watchlist[:MAX_WATCHLIST]]
        text = encode_plain(data)
        key, secret = app_settings.PUSHER_KEY, app_settings.PUSHER_SECRET
        auth = sign_user(key, secret, socket_id=socket_id, user_data=text)
        return Response({"auth": auth, "user_data": text})


def _denied(refused: Refused) -> PermissionDenied:
    """Return the one answer for absent and forbidden; only DEBUG tells them apart."""
    logger.debug("authorization refused reason=%s", refused)
    return PermissionDenied(str(refused) if settings.DEBUG else None)
