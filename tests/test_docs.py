"""The Python in the docs runs, in a project like the one that it speaks of."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import drf_model_pusher
from drf_model_pusher.conf import setting_names

ROOT = Path(__file__).parent.parent
PACKAGE = Path(drf_model_pusher.__file__).parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
# The tutorial makes a project of its own: tests/test_docs_tutorial.py follows it.
PYTHON_PAGES = [page for page in PAGES if page.name != "tutorial.md"]

PROJECT = {
    "settings.py": """
        SECRET_KEY = "docs"
        USE_TZ = True
        ROOT_URLCONF = "urls"
        ALLOWED_HOSTS = ["*"]
        INSTALLED_APPS = [
            "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
            "rest_framework", "orders",
        ]
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        REST_FRAMEWORK: dict[str, object] = {}
        MIDDLEWARE: list[str] = []
        PUSHER_APP_ID, PUSHER_KEY, PUSHER_SECRET = "1", "key", "secret"
    """,
    "urls.py": "urlpatterns: list[object] = []",
    "orders/__init__.py": "",
    "orders/models.py": """
        from django.db import models

        class Customer(models.Model):
            slug = models.SlugField()

        class Order(models.Model):
            customer = models.ForeignKey(Customer, models.CASCADE)
            state = models.CharField(max_length=20, default="open")
            version = models.PositiveIntegerField(default=1)
    """,
    "orders/serializers.py": """
        from rest_framework.serializers import ModelSerializer
        from orders.models import Order

        class OrderSerializer(ModelSerializer[Order]):
            class Meta:
                model = Order
                fields = ["id", "customer", "state"]

        class OrderForStaffSerializer(OrderSerializer):
            pass
    """,
}

# Every module of the page is imported as a project imports it, then the checks run.
PROGRAM = """
import os, sys, importlib
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
for name in sys.argv[1:]:
    importlib.import_module(name)
call_command("check")
"""

# After that, what a shopkeeper of the README does: the mixin pushes.
WRITE = """
from drf_model_pusher.providers import MemoryProvider
from django.test import override_settings
from rest_framework.test import APIRequestFactory
from orders.models import Customer
from orders.views import OrderViewSet
Customer.objects.create(slug="acme")
with override_settings(
    DRF_MODEL_PUSHER_PROVIDER="drf_model_pusher.providers.MemoryProvider",
    DRF_MODEL_PUSHER_DELIVERY="drf_model_pusher.delivery.InlineDelivery",
):
    request = APIRequestFactory().post("/", {"customer": 1}, format="json")
    assert OrderViewSet.as_view({"post": "create"})(request).status_code == 201
print(sorted((event.channels, event.name) for event in MemoryProvider.events))
"""


def blocks(page, language="python"):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def run(folder, page, more=""):
    """Write a page's blocks into the files that their first lines name, and use them."""
    files = {name: textwrap.dedent(text) for name, text in PROJECT.items()}
    settings = files["settings.py"] + '\nINSTALLED_APPS += ["drf_model_pusher"]\n'
    modules = []
    for block in blocks(page):
        name = block.partition("\n")[0].removeprefix("# ").strip()
        assert name.endswith(".py"), f"{page.name}: a block must begin with the name of its file"
        if name == "settings.py":
            settings += block.replace('INSTALLED_APPS += ["drf_model_pusher"]', "")
        else:
            module = name.removesuffix(".py").replace("/", ".")
            while module in modules:
                module += "_too"  # the page shows another way to write it
            files[module.replace(".", "/") + ".py"] = block
            modules.append(module)
    for name, text in {**files, "settings.py": settings}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM + more, *modules],
        cwd=folder,
        env=os.environ | {"PUSHER_SECRET": "secret"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("page", PYTHON_PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page, tmp_path):
    result = run(tmp_path, page)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("page", "events"),
    [
        ("README.md", [(("orders",), "order.create")]),
        (
            "docs/backends.md",
            [
                (("orders",), "order.create"),
                (("presence-room-1",), "order.create"),
                (("private-orders.1", "private-staff"), "order.create"),
            ],
        ),
    ],
)
def test_what_a_page_builds_pushes(page, events, tmp_path):
    result = run(tmp_path, ROOT / page, WRITE)
    assert result.stdout.splitlines()[-1:] == [repr(events)], result.stderr


# What the page's views are routed to, as its reader would; a warning is a false alarm.
ROUTE = """
from django.urls import clear_url_caches, include, path
from rest_framework.routers import SimpleRouter
from orders.views import OrderViewSet
import urls
clear_url_caches()
router = SimpleRouter()
router.register("orders", OrderViewSet)
urls.urlpatterns += [*router.urls, path("pusher/", include("drf_model_pusher.urls"))]
from drf_model_pusher.routes import routed_views
assert OrderViewSet in [view.view_class for view in routed_views()]
call_command("check", fail_level="WARNING")
"""


@pytest.mark.parametrize("page", ["README.md", "docs/testing.md"])
def test_no_check_warns_whoever_follows_a_page(page, tmp_path):
    result = run(tmp_path, ROOT / page, ROUTE)
    assert result.returncode == 0, result.stderr


def anchors(page):
    """Return what may stand behind the `#` of a link to a page."""
    for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.M):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


LINKING = sorted({*PAGES, *ROOT.glob("*.md"), *(ROOT / "example").glob("*.md")})


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text()):
        if "://" not in target:
            path = page.parent / target if target else page
            assert path.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(path), f"{page.name}: {target}#{anchor}"


def test_each_picture_is_shown():
    text = "".join(page.read_text() for page in PAGES)
    pictures = [path.name for path in (ROOT / "docs" / "images").iterdir()]
    assert [name for name in pictures if f"images/{name}" not in text] == []


def test_the_settings_page_names_every_setting():
    text = (ROOT / "docs/settings.md").read_text()
    assert [name for name in setting_names() if f"`{name}`" not in text] == []


def test_the_settings_page_names_every_check():
    source = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    page = (ROOT / "docs/settings.md").read_text()
    ids = set(re.findall(r'id="drf_model_pusher\.([EW]\d{3})"', source))
    assert ids == set(re.findall(r"`drf_model_pusher\.([EW]\d{3})`", page))


def test_the_views_page_names_tests_that_there_are():
    tests = "".join(path.read_text() for path in (ROOT / "tests/drf_features").glob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs/views.md").read_text())
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_the_test_of_the_docs_passes(pusher_server):
    from drf_model_pusher.testing import stand_in

    (source,) = (b for b in blocks(ROOT / "docs/server.md") if "def test_" in b)
    namespace: dict = {}
    exec(source, namespace)
    with stand_in():  # as everywhere with the plugin
        namespace["test_an_order_is_announced"](pusher_server)
    (event,) = pusher_server.events
    assert (event.name, event.channel) == ("order.create", "orders")


def test_the_provider_of_the_docs_has_under_40_lines_and_carries_events(monkeypatch):
    """Against a real server that takes what the docs' provider sends."""
    import json
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from drf_model_pusher.delivery.queue import QueuedEvent
    from drf_model_pusher.delivery.sending import send_batch
    from drf_model_pusher.events import PusherEvent
    from drf_model_pusher.providers import provider_path

    (source,) = (b for b in blocks(ROOT / "docs/providers.md") if "HubProvider" in b)
    assert len(source.splitlines()) < 40
    received, statuses = [], [200, 500]

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(statuses[len(received) - 1])
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    namespace: dict = {}
    exec(source.replace(":9000", f":{server.server_port}"), namespace)
    event = PusherEvent(
        channels=("a", "b"),
        name="e",
        data='{"n":1}',
        provider=provider_path(namespace["HubProvider"]),
    )
    entries = [QueuedEvent(event=event, since=0), QueuedEvent(event=event, since=0)]
    failure = send_batch(entries)
    server.shutdown()
    server.server_close()
    assert received[0] == {"to": ["a", "b"], "event": "e", "data": {"n": 1}}
    assert [entry.event for entry in entries] == [event]
    assert failure.error.status == 500


@pytest.mark.django_db(transaction=True)
def test_the_contracts_of_the_docs_hold():
    from drf_model_pusher.testing import stand_in

    (source,) = (b for b in blocks(ROOT / "docs/providers.md") if "DeliveryContract" in b)
    namespace: dict = {"__name__": "contracts_of_the_docs"}
    exec(source, namespace)
    with stand_in():  # as everywhere with the plugin
        for name in ("TestListProvider", "TestOwnDelivery"):
            contract = namespace[name]()
            for test in (each for each in dir(contract) if each.startswith("test_")):
                getattr(contract, test)()
