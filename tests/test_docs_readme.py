"""The quick start of the README, typed by a newcomer into a project that has an API."""

from __future__ import annotations

import re
import shutil
import sys

import pytest

from tests.availability import unavailable
from tests.newcomer import ROOT, STEP, Editor, Reader
from tests.test_docs_tutorial import PAGE as TUTORIAL

#: The project that the quick start takes for granted is that of the tutorial's first part,
#: before the package; the view comes from the quick start.
BEFORE = ["mkdir shop", "cd shop", "python3 -m venv .venv", ". .venv/bin/activate"]
PROJECT = ["python -m django startproject shop .", "python manage.py startapp orders"]
MIGRATE = ["python manage.py makemigrations", "python manage.py migrate"]
URLS = """# shop/urls.py
from rest_framework.routers import SimpleRouter

from orders.views import OrderViewSet

router = SimpleRouter()
router.register("orders", OrderViewSet)
urlpatterns = router.urls
"""


class ReaderOfTheReadme(Reader):
    def write(self, text):
        super().write(text.replace("# settings.py", "# shop/settings.py, at the end"))

    def do_js(self, text):
        """Leave it to tests/test_docs_frontend.py."""


def section(text, heading):
    """Return what stands under a heading of a page."""
    return re.search(rf"^## {heading}\n(.*?)^## ", text, re.M | re.S)[1]


@pytest.fixture
def reader(tmp_path):
    if sys.platform == "win32" or shutil.which("bash") is None or shutil.which("curl") is None:
        unavailable("the quick start needs bash and curl")
    reader = ReaderOfTheReadme(tmp_path, section((ROOT / "README.md").read_text(), "Quick start"))
    yield reader
    reader.end()


def test_whoever_follows_the_quick_start_sees_the_event(reader):
    for command in BEFORE:
        reader.terminal.type(command)
    reader.install("pip install --pre drf-model-pusher")
    for command in PROJECT:
        reader.terminal.type(command)
    first_part = section(TUTORIAL.read_text(), "A project with an API")
    editor = Editor(reader.project, first_part.partition("```python\n# orders/views.py")[0])
    editor.write_all()
    for command in MIGRATE:
        reader.terminal.type(command)
    editor.write(URLS)
    reader.follow(lambda heading: None)
    kinds = [step["kind"] for step in STEP.finditer(reader.text)]
    assert kinds.count("console") == 3
    assert kinds.count("text") == 1
