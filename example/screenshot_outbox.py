"""Takes the picture of the outbox in Django's admin, with what waits in a bad minute of a shop."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

import django
from django.conf import settings
from playwright.sync_api import ViewportSize, sync_playwright

from screenshot import CHROMIUM, FLAGS

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "outbox.png"
SIZE: ViewportSize = {"width": 1500, "height": 640}

TOO_LARGE = "the service answered 413"
REFUSED = "the service answered 400"
SLOW = "ReadTimeout at api-eu.pusher.com:443"
#: Seconds ago, name, subject, state, tries, error.
EVENTS = [
    (5400, "catalog.update", "shop.catalog:3", "DEAD", 5, TOO_LARGE),
    (62, "order.update", "shop.order:70", "POSTPONED", 3, REFUSED),
    (61, "order.update", "shop.order:94", "WAITING", 1, SLOW),
    (38, "order.create", "shop.order:112", "WAITING", 0, ""),
    (21, "order.delete", "shop.order:41", "WAITING", 0, ""),
    (4, "message.create", "#presence-support", "WAITING", 0, ""),
    (1, "order.create", "shop.order:113", "WAITING", 0, ""),
]


def main() -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        set_up(Path(folder, "shop.sqlite3"))
        address = stack.enter_context(serving())
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        stack.callback(browser.close)
        page = browser.new_page(device_scale_factor=2, viewport=SIZE)
        page.goto(f"{address}/admin/drf_model_pusher_outbox/outboxevent/")
        page.get_by_label("Username").fill("ada")
        page.get_by_label("Password").fill("lovelace")
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("row", name="catalog.update").get_by_role("checkbox").check()
        page.get_by_label("Action:").select_option("retry")
        page.mouse.move(0, 0)
        page.screenshot(path=PICTURE)
    print(f"{PICTURE} ({PICTURE.stat().st_size // 1000} kB)")


def set_up(database: Path) -> None:
    """Make a site with an admin, somebody who may look at it, and events that wait."""
    settings.configure(
        SECRET_KEY="picture",  # noqa: S106 - of this process only
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        STATIC_URL="static/",
        LOGGING={"version": 1, "loggers": {"django.request": {"level": "ERROR"}}},
        DEBUG=True,  # which serves the admin's style sheets
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
        INSTALLED_APPS=[
            *("django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"),
            *("django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles"),
            *("drf_model_pusher", "drf_model_pusher.outbox"),
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
    )
    django.setup()
    from django.contrib import admin
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.urls import path

    admin.site.enable_nav_sidebar = False
    globals()["urlpatterns"] = [path("admin/", admin.site.urls)]
    call_command("migrate", verbosity=0)
    User.objects.create_superuser("ada", password="lovelace")  # noqa: S106
    fill()


def fill() -> None:
    """Write the rows."""
    from django.utils import timezone
    from drf_model_pusher.outbox.models import OutboxRow

    now = timezone.now()
    for seconds, name, subject, state, attempts, error in EVENTS:
        state, postponed = ("WAITING", True) if state == "POSTPONED" else (state, False)
        OutboxRow(
            lane=0,
            partition=0,
            created=now - timedelta(seconds=seconds),
            name=name,
            subject=subject,
            content="{}",
            state=OutboxRow.State[state],
            due=now + timedelta(minutes=1) if postponed else None,
            attempts=attempts,
            error=error,
        ).save()


@contextmanager
def serving() -> Iterator[str]:
    """Serve the site from a thread, inside the ``with`` block."""
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.servers.basehttp import ThreadedWSGIServer
    from django.core.wsgi import get_wsgi_application

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing of what was asked for."""

    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(StaticFilesHandler(get_wsgi_application()))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
