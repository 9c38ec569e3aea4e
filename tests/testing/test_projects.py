"""Suites of a project, written as the docs tell it and run as its developers run them."""

import os
import subprocess
import sys
import textwrap

import pytest

from tests.pusher_api import PusherApi
from tests.test_docs import PROJECT, ROOT, blocks

MANAGE = """
import os, sys
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""

# It commits, and its backends name a provider themselves.
COMMITTING = """
import pytest
from django.contrib.auth.models import User
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.providers import MemoryProvider
from orders.models import Customer, Order
from test_orders import patch


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("again", range(2))
def test_a_commit_leaves_from_the_thread(again, settings):
    settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.BackgroundDelivery"
    order = Order.objects.create(customer=Customer.objects.create(slug="acme"))
    patch(order, User.objects.create_user("ada", is_staff=True), state="paid")
    assert get_delivery().flush(10)
    assert [event.name for event in MemoryProvider.events] == EXPECTED
"""

COMMITTING_UNITTEST = """
from django.test import TransactionTestCase
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.providers import MemoryProvider, PusherProvider, get_provider
from orders.tests import OrderTests


class CommittingTests(TransactionTestCase):
    def test_a_commit_leaves_from_the_thread(self):
        from django.contrib.auth.models import User
        OrderTests.post(self, User.objects.create_user("ada", is_staff=True))
        assert get_delivery().flush(10)
        assert [event.name for event in MemoryProvider.events] == ["order.create"]


class OtherTests(TransactionTestCase):
    def test_another_process_or_the_same_has_it_too(self):
        assert isinstance(get_provider(PusherProvider), MemoryProvider)
"""


@pytest.fixture
def api():
    """What stands where the project's settings say that Pusher is."""
    with PusherApi(key="key", secret="secret") as api:
        yield api


@pytest.fixture
def project(tmp_path, api):
    files = {name: textwrap.dedent(text) for name, text in PROJECT.items()}
    files["settings.py"] += textwrap.dedent(f"""
        INSTALLED_APPS += ["drf_model_pusher"]
        PUSHER_HOST, PUSHER_PORT, PUSHER_SSL = "127.0.0.1", {api.port}, False
    """)
    files["manage.py"] = MANAGE
    files["pytest.ini"] = "[pytest]\nDJANGO_SETTINGS_MODULE = settings\npythonpath = .\n"
    for block in blocks(ROOT / "docs/testing.md"):
        name = block.partition("\n")[0].removeprefix("# ").strip()
        if name == "settings.py":
            files[name] += block
        elif name != "conftest.py":
            files[name] = block
    backends = files["orders/pusher_backends.py"] + "    provider_class = PusherProvider\n"
    files["orders/pusher_backends.py"] = (
        "from drf_model_pusher.providers import PusherProvider\n" + backends
    )
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def run(folder, *arguments, **environment):
    inherited = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def run_pytest(folder, *arguments, **environment):
    return run(folder, "-m", "pytest", "-p", "no:cacheprovider", *arguments, **environment)


class TestPytest:
    def test_the_suite_of_the_docs_passes(self, project, api):
        result = run_pytest(project, "test_orders.py")
        assert "4 passed" in result.stdout, result.stdout
        assert api.calls == []

    def test_the_failure_of_the_docs_is_what_appears(self, project):
        suite = project / "test_orders.py"
        suite.write_text(
            suite.read_text().replace('data={"state": "paid"}', 'data={"state": "open"}')
        )
        result = run_pytest(project, "test_orders.py")
        (shown,) = blocks(ROOT / "docs/testing.md", "text")
        printed = [line.removeprefix("E").strip() for line in result.stdout.splitlines()]
        for line in shown.splitlines():
            assert line.strip() in printed

    def test_no_test_talks_to_pusher_by_accident(self, project, api):
        (project / "test_commit.py").write_text(COMMITTING.replace("EXPECTED", '["order.update"]'))
        result = run_pytest(project, "test_commit.py")
        assert ("2 passed" in result.stdout, api.calls) == (True, []), result.stdout

    def test_one_that_asks_for_another_provider_does(self, project, api):
        (project / "test_commit.py").write_text(COMMITTING.replace("EXPECTED", "[]"))
        (conftest,) = (b for b in blocks(ROOT / "docs/testing.md") if b.startswith("# conftest.py"))
        (project / "conftest.py").write_text(conftest)
        result = run_pytest(project, "test_commit.py")
        assert "2 passed" in result.stdout, result.stdout
        assert [event["name"] for event in api.events] == ["order.update"] * 2

    def test_the_plugin_loads_no_django(self, tmp_path):
        (tmp_path / "test_it.py").write_text(
            "import sys\n"
            "def test_it():\n"
            "    assert 'drf_model_pusher.pytest_plugin' in sys.modules\n"
            "    heavy = ('django', 'rest_framework', 'pusher', 'starlette')\n"
            "    assert [name for name in heavy if name in sys.modules] == []\n"
        )
        only = ("-p", "drf_model_pusher.pytest_plugin")
        result = run_pytest(tmp_path, *only, "test_it.py", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
        assert "1 passed" in result.stdout, result.stdout

    def test_a_project_without_the_app_is_left_alone(self, project):
        settings = project / "settings.py"
        settings.write_text(
            settings.read_text().replace('INSTALLED_APPS += ["drf_model_pusher"]', "")
        )
        (project / "test_it.py").write_text(
            "from django.conf import settings\n"
            "def test_it():\n"
            "    assert not hasattr(settings, 'DRF_MODEL_PUSHER_PROVIDER')\n"
        )
        result = run_pytest(project, "test_it.py")
        assert "1 passed" in result.stdout, result.stdout


class TestUnittest:
    def test_the_suite_of_the_docs_passes(self, project, api):
        result = run(project, "manage.py", "test", "orders")
        assert ("Ran 2 tests" in result.stderr, result.returncode) == (True, 0), result.stderr
        assert api.calls == []

    @pytest.mark.parametrize("method", ["fork", "spawn", None])
    def test_no_test_talks_to_pusher_by_accident(self, project, api, method):
        (project / "orders" / "test_commit.py").write_text(COMMITTING_UNITTEST)
        if method is not None:
            manage = MANAGE.replace(
                '"__main__":\n',
                f'"__main__":\n    import multiprocessing\n'
                f'    multiprocessing.set_start_method("{method}")\n',
            )
            (project / "manage.py").write_text(manage)
        parallel = [] if method is None else ["--parallel", "2"]
        result = run(project, "manage.py", "test", "orders.test_commit", *parallel)
        assert (result.returncode, api.calls) == (0, []), result.stderr

    def test_without_the_runner_it_would(self, project, api):
        settings = project / "settings.py"
        settings.write_text(settings.read_text().replace("TEST_RUNNER =", "UNUSED ="))
        (project / "orders" / "test_commit.py").write_text(COMMITTING_UNITTEST)
        result = run(project, "manage.py", "test", "orders.test_commit")
        assert result.returncode == 1
        assert [event["name"] for event in api.events] == ["order.create"]
