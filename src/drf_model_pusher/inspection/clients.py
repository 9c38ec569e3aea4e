"""Requests by a signed-in user, through the project's whole middleware and without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.http import HttpRequest
from django.urls import NoReverseMatch, Resolver404, reverse, set_urlconf
from rest_framework.test import APIClient, ForceAuthClientHandler

from drf_model_pusher.authorization.refusals import Refused

SOCKET_ID = "1.1"

#: What a path leads to: a callback, and what it is given.
Target = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class _Handler(ForceAuthClientHandler):
    """Django's handler for tests; it can be told what a path leads to."""

    def __init__(self, target: Target, *, always: bool) -> None:
        super().__init__(enforce_csrf_checks=False)
        self._target = target
        self._always = always

    def resolve_request(self, request: HttpRequest) -> Any:
        """Return what the URLs of the project lead to, or what stands for it."""
        try:
            if not self._always:
                return super().resolve_request(request)
        except Resolver404:
            pass  # an endpoint at another path, or none yet
        if hasattr(request, "urlconf"):
            set_urlconf(request.urlconf)
        return self._target


def refusal(user: Any, channel: str) -> Refused | None:
    """Return why the endpoint refuses a channel to a user, or None.

    Args:
        user: Signed in by a session and by whatever else a view takes; None for nobody.
        channel: The full name of a channel that is not public.
    """
    from drf_model_pusher.authorization.views import AuthorizationView

    try:
        path = reverse("drf_model_pusher:auth")
    except NoReverseMatch:
        path = "/pusher/auth"
    data = {"socket_id": SOCKET_ID, "channel_name": channel}
    target: Target = AuthorizationView.as_view(), (), {}
    response = send("post", path, user, target, data=data)
    if response.status_code == 200:
        return None
    refused: Refused | None = getattr(response, "refused", None)
    return refused or Refused(f"{path} answers {response.status_code}")


def send(
    method: str, path: str, user: Any, target: Target, *, always: bool = False, data: Any = None
) -> Any:
    """Return the response to a request.

    Args:
        method: In lower case.
        path: Its path.
        user: Who makes it; None for nobody.
        target: What answers where no URL of the project does.
        always: Whether that answers in any case.
        data: Its body, as JSON.
    """
    hosts = [host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"]
    client = APIClient(SERVER_NAME=(hosts or ["localhost"])[0], HTTP_ACCEPT="application/json")
    client.handler = _Handler(target, always=always)
    more = {} if method == "get" else {"format": "json"}
    with _signed_in(client, user):
        is_secure = bool(getattr(settings, "SECURE_SSL_REDIRECT", False))
        return getattr(client, method)(path, data, secure=is_secure, **more)


@contextmanager
def _signed_in(client: Any, user: Any) -> Iterator[None]:
    """Sign a user in: no signal is sent, and no last login is written."""
    if user is None:
        yield
        return
    # For views that take no sessions.
    client.force_authenticate(user)
    if not any("SessionMiddleware" in name for name in settings.MIDDLEWARE):
        yield
        return
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    try:
        yield
    finally:
        session.flush()
