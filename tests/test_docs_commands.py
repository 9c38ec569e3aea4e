"""What the docs show below a command is what it prints."""

import io
import os
import re
import subprocess
import sys
import textwrap
import threading

import pytest
from django.core.management import call_command

from drf_model_pusher.providers import PusherProvider, get_provider
from drf_model_pusher.server.testing import LocalServer
from tests.test_docs import PAGES, PROJECT, ROOT, blocks

PAGE = ROOT / "docs" / "commands.md"

URLS = """
from django.urls import include, path
from orders.views import OrderViewSet
from rest_framework.routers import SimpleRouter

router = SimpleRouter()
router.register("orders", OrderViewSet)
urlpatterns = [path("pusher/", include("drf_model_pusher.urls")), *router.urls]
"""

MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


def shown(page=PAGE):
    """Return the command lines of a page, each with what is shown below it."""
    for block in blocks(page, "console"):
        command, _, output = block.partition("\n")
        yield command.removeprefix("$ python manage.py ").split(), output


@pytest.fixture
def server():
    with LocalServer() as server:
        yield server


@pytest.fixture
def manage(tmp_path, server):
    """Return what starts a command in the project of the README."""
    files = {name: textwrap.dedent(text) for name, text in PROJECT.items()}
    for block in blocks(ROOT / "README.md") + blocks(PAGE):
        name = block.partition("\n")[0].removeprefix("# ").strip()
        if name not in ("settings.py", "urls.py"):
            files[name] = block
    files["urls.py"], files["manage.py"] = URLS, MANAGE
    files["settings.py"] += textwrap.dedent(f"""
        INSTALLED_APPS += ["drf_model_pusher"]
        DATABASES["default"]["NAME"] = "db.sqlite3"
        PUSHER_APP_ID, PUSHER_KEY = "1", {server.key!r}
        import os
        PUSHER_SECRET = os.environ.get("OTHER_SECRET") or {server.secret!r}
        PUSHER_HOST, PUSHER_PORT, PUSHER_SSL = "127.0.0.1", {server.port}, False
    """)
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def start(*args, **env):
        return subprocess.Popen(
            [sys.executable, "manage.py", *args],
            cwd=tmp_path,
            env=os.environ | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def as_documented(output, server):
    """Put the page's port and time in the place of those of now."""
    output = output.replace(f":{server.port}", ":6001")
    return re.sub(r"^\d\d:\d\d:\d\d", "12:00:00", output, flags=re.MULTILINE)


def outputs(name, page=PAGE):
    return [(args, output) for args, output in shown(page) if args[0] == name]


def test_each_page_with_commands_is_followed():
    """By this module, tests/test_docs_tutorial.py and tests/test_docs_readme.py."""
    pages = {page.name for page in PAGES if blocks(page, "console")}
    assert pages == {"README.md", "commands.md", "outbox.md", "tutorial.md"}


@pytest.mark.parametrize(("index", "secret"), [(0, ""), (1, "another-secret")])
def test_the_doctor_prints_what_is_shown(manage, server, index, secret):
    args, output = outputs("pusher_doctor")[index]
    process = manage(*args, OTHER_SECRET=secret)
    assert as_documented(process.communicate(timeout=60)[0], server) == output
    assert process.returncode == bool(secret)


CONTENT = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
from orders.models import Customer, Order
Order.objects.create(customer=Customer.objects.create(slug="acme"))
User.objects.create_user("ada")
"""


def test_the_explanation_is_what_is_shown(manage, server, tmp_path):
    subprocess.run([sys.executable, "-c", CONTENT], cwd=tmp_path, check=True, timeout=60)
    ((args, output),) = outputs("pusher_explain")
    process = manage(*args)
    assert as_documented(process.communicate(timeout=60)[0], server) == output
    assert process.returncode == 0


def test_the_listener_prints_what_is_shown(manage, server, settings):
    ((args, output),) = outputs("pusher_listen")
    settings.PUSHER_APP_ID, settings.PUSHER_KEY = server.app_id, server.key
    settings.PUSHER_SECRET, settings.PUSHER_SSL = server.secret, False
    settings.PUSHER_HOST, settings.PUSHER_PORT = server.host, server.port
    process = manage(*args)
    lines = [process.stdout.readline() for _ in range(3)]
    provider = get_provider(PusherProvider)
    provider.trigger(["orders"], "order.create", {"id": 1, "state": "open"})
    provider.trigger(["private-orders.1"], "order.update", {"id": 1, "state": "sent"})
    timer = threading.Timer(30, process.kill)
    timer.start()
    text = "".join(lines) + process.communicate()[0]
    timer.cancel()
    assert as_documented(text, server) == output


@pytest.mark.django_db
def test_the_outbox_is_told_of_as_shown():
    ((args, output),) = outputs("pusher_outbox", ROOT / "docs" / "outbox.md")
    printed = io.StringIO()
    call_command(*args, stdout=printed)
    assert printed.getvalue() == output
