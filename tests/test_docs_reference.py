"""The reference names everything that there is: a new name without its place there fails here."""

from __future__ import annotations

import ast
import importlib
import re

import pytest
from django.dispatch import Signal

from drf_model_pusher import signals
from tests.test_docs import PACKAGE, PAGES, ROOT, blocks

DOCS = ROOT / "docs"
API = (DOCS / "api.md").read_text()
#: Packages whose `__all__` is what users may import.
PUBLIC = ["delivery", "providers", "testing"]


def documented():
    """Return the dotted paths that the page of the API shows."""
    module = ""
    for kind, name in re.findall(r"\.\. (currentmodule|auto\w+):: (\S+)", API):
        if kind == "currentmodule":
            module = name
        else:
            yield (
                name
                if name.startswith(("drf_model_pusher.", "pusher_dev_server."))
                else f"{module}.{name}"
            )


def imported_by_the_docs():
    """Return the dotted paths that examples import: what we show is public."""
    for page in PAGES:
        for block in blocks(page):
            for module, names in re.findall(
                r"^from (drf_model_pusher[\w.]*) import (\([^)]*\)|[^\n#]*)", block, re.M
            ):
                for name in re.findall(r"\w+", names):
                    yield f"{module}.{name}"


@pytest.mark.parametrize("package", PUBLIC)
def test_each_public_name_is_on_the_page_of_the_api(package):
    module = importlib.import_module(f"drf_model_pusher.{package}")
    names = {f"drf_model_pusher.{package}.{name}" for name in module.__all__}
    assert names - set(documented()) == set()


def test_what_examples_import_is_on_the_page_of_the_api():
    elsewhere = {
        f"drf_model_pusher.signals.{name}" for name in vars(signals)
    }  # on a page of their own
    shown = set(documented())
    missing = set(imported_by_the_docs()) - shown - elsewhere
    assert {
        name for name in missing if not name.startswith("drf_model_pusher.exceptions.")
    } == set()


def test_what_is_on_the_page_of_the_api_is_there():
    for path in documented():
        module, _, name = path.rpartition(".")
        if path != "drf_model_pusher.exceptions":
            assert hasattr(importlib.import_module(module), name), path


def test_each_signal_is_on_its_page():
    names = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    assert names == set(re.findall(r"^\| `(\w+)` \|", (DOCS / "signals.md").read_text(), re.M))


def test_each_command_is_on_its_page():
    page = (DOCS / "commands.md").read_text()
    files = PACKAGE.rglob("management/commands/pusher_*.py")
    names = {path.stem for path in files}
    assert names
    assert {name for name in names if f"`{name}`" not in page and f"## {name}" not in page} == set()


def checks():
    """Return the keywords of each message of a check, with their code."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                keywords = {each.arg: ast.unparse(each.value) for each in node.keywords}
                if re.fullmatch(r"'drf_model_pusher\.[EW]\d+'", keywords.get("id", "")):
                    yield keywords


def test_each_check_says_what_to_do():
    assert len(list(checks())) > 20
    assert [check for check in checks() if check.get("hint", "None") == "None"] == []


def test_each_check_is_tested():
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    numbers = {check["id"].strip("'").removeprefix("drf_model_pusher.") for check in checks()}
    assert {number for number in numbers if number not in tests} == set()


def test_each_page_is_in_the_contents():
    contents = re.findall(
        r"^```\{toctree\}\n(.*?)^```", (DOCS / "index.md").read_text(), re.M | re.S
    )
    listed = {line for text in contents for line in text.split() if not line.startswith(":")}
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    assert pages - listed == set()
