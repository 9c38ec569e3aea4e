"""A reconnect storm: every connection asks for its channels again, all at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from benchmarks.report import Findings, Table
from benchmarks.rounds import Samples, turns

STORM, THREADS = 1_000, 8
KINDS = {"private": "private-", "presence": "presence-", "encrypted": "private-encrypted-"}
CSRF = "x" * 32


def measure(*, quick: bool) -> Findings:
    findings = Findings()
    with _project() as (order, session):
        get, asks = _requests(order, session)
        rows = []
        for kind, ask in asks.items():
            few, many = (_queries(ask) for _ in range(2))
            findings.exactly(f"queries of an authorization ({kind})", {few, many}, {_queries(get)})
            rows.append([kind, str(few), *_storm(findings, kind, get, ask, quick=quick)])
    findings.tables.append(
        Table(
            f"{STORM:,} re-authorizations at once, {THREADS} threads, session and CSRF token",
            ["channel", "queries", "GETs a second", "authorizations a second"],
            rows,
        )
    )
    return findings


def _storm(
    findings: Findings, kind: str, get: Callable[[], None], ask: Callable[[], None], *, quick: bool
) -> tuple[str, str]:
    samples, ways = Samples(), {"GET": get, "authorization": ask}
    number = 100 if quick else STORM
    with ThreadPoolExecutor(THREADS) as pool:
        for way in turns(list(ways), 2 if quick else 4):
            started = time.perf_counter()
            for each in [pool.submit(ways[way]) for _ in range(number)]:
                each.result()
            samples.add(way, number / (time.perf_counter() - started))
    ratio = samples.ratio("authorization", "GET")
    findings.at_least(f"authorizations a second, of GETs of the same object ({kind})", ratio, 0.8)
    return f"{samples.median('GET'):,.0f}", f"{samples.median('authorization'):,.0f}"


def _queries(call: Callable[[], None]) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        call()
    return len(queries)


def _requests(order: Any, session: str) -> tuple[Callable[[], None], dict[str, Callable[[], None]]]:
    from django.core.handlers.wsgi import WSGIHandler

    application = WSGIHandler()

    def request(method: str, path: str, body: bytes = b"") -> None:
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_COOKIE": f"sessionid={session}; csrftoken={CSRF}",
            "HTTP_X_CSRFTOKEN": CSRF,
            "HTTP_ACCEPT": "*/*",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
        }
        statuses: list[str] = []
        response = application(environ, lambda status, headers: statuses.append(status))
        answer = b"".join(response)
        response.close()
        if not statuses[0].startswith("200"):
            raise RuntimeError(f"{method} {path}: {statuses[0]} {answer[:200]!r}")

    def ask(channel: str) -> Callable[[], None]:
        body = urlencode({"socket_id": "1234.5678", "channel_name": channel}).encode()
        return lambda: request("POST", "/pusher/auth", body)

    asks = {kind: ask(f"{prefix}orders.{order.pk}") for kind, prefix in KINDS.items()}
    return (lambda: request("GET", f"/orders/{order.pk}/")), asks


@contextmanager
def _project() -> Iterator[tuple[Any, str]]:
    """Yield an order and the key of a session that may GET it."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.test import override_settings

    from benchmarks.project import channels
    from benchmarks.project.models import Order

    user = User.objects.create_user("ada")
    order = Order.objects.create(reference="2026-1", customer="Ada", total="149.90", position=1)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    # Declared for this measurement alone: nothing else is to render for channels of ours.
    backends = channels.declare()
    try:
        with override_settings(
            ROOT_URLCONF=channels,
            PUSHER_ENCRYPTION_MASTER_KEY_BASE64="zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU=",
        ):
            yield order, str(session.session_key)
    finally:
        channels.forget(backends)
        order.delete()
        user.delete()
