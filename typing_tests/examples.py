"""Checks the types of every example as its reader's mypy would: strict, with the stubs of Django.

Each page of the docs becomes a package beside the project that all of them speak of; a block is on
the line that it has in its page, so that mypy's complaints lead there.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.newcomer import Editor
from tests.test_docs import PROJECT, PYTHON_PAGES, ROOT
from tests.test_docs_tutorial import PAGE as TUTORIAL

BLOCK = re.compile(r"^```python\n(?P<text># (?P<name>\S+\.py)\n.*?)^```$", re.DOTALL | re.MULTILINE)
CONFIG = """
[mypy]
strict = True
plugins = mypy_django_plugin.main, mypy_drf_plugin.main
enable_error_code = ignore-without-code, redundant-expr, truthy-bool
mypy_path = {source}
explicit_package_bases = True
exclude = (^|/)(migrations/|manage.py)

[mypy.plugins.django-stubs]
django_settings_module = {settings}

# adrf has no types, and the stubs of DRF know no asynchronous action: docs/views.md says so.
[mypy-adrf.*]
ignore_missing_imports = True
[mypy-views.orders.async_views]
disallow_subclassing_any = False
disable_error_code = type-var

[mypy-celery.*,kombu.*,django_tasks.*,pusher.*]
ignore_missing_imports = True
"""


def main() -> int:
    """Check the pages, the tutorial's project at each stage, and the demo."""
    with tempfile.TemporaryDirectory() as folder:
        projects = [(ROOT / "example", "taskboard.settings")]
        projects.append((Path(folder, "pages"), "settings"))
        write_pages(projects[-1][0])
        for number, text in enumerate(stages(TUTORIAL.read_text())):
            projects.append((Path(folder, f"tutorial{number}"), "shop.settings"))
            follow_tutorial(projects[-1][0], text)
        cache = ROOT / ".mypy_cache" / "examples"
        codes = [check(project, settings, cache) for project, settings in projects]
        return max(map(abs, codes))


def write_pages(folder: Path) -> None:
    """Write the project of the docs, and each page as a package in it."""
    for name, text in PROJECT.items():
        write(folder / name, textwrap.dedent(text))
    for page in PYTHON_PAGES:
        own, package = dict(blocks_of(page)), page.stem.replace("-", "_")
        for name, text in own.items():
            write(folder / package / name, in_package(package, text, own))


def blocks_of(page: Path) -> Iterator[tuple[str, str]]:
    """Return the files of a page; settings begin with those of the project."""
    text, seen = page.read_text(), set()
    for block in BLOCK.finditer(text):
        name, code = block["name"], block["text"]
        before = "\n" * text.count("\n", 0, block.start("text"))
        if name == "settings.py" and "INSTALLED_APPS" in code:
            before = before.replace("\n", "from settings import INSTALLED_APPS\n", 1)
        while name in seen:
            name = name.replace(".py", "_too.py")
        seen.add(name)
        yield name, before + code


def in_package(package: str, text: str, names: Iterable[str]) -> str:
    """Let a block import what its own page defines from there."""
    for name in set(names) - {"settings.py"}:
        module = name.removesuffix(".py").replace("/", ".")
        text = re.sub(rf"^from {re.escape(module)} ", f"from {package}.{module} ", text, flags=re.M)
    return text


def stages(text: str) -> Iterator[str]:
    """Go through the tutorial up to the end of each part that writes Python."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    for end, part in enumerate(parts, 1):
        if re.search(r"^```(python|diff)$", part, re.MULTILINE):
            yield "".join(parts[:end])


def follow_tutorial(folder: Path, text: str) -> None:
    """Make the project that a reader of the tutorial has by then."""
    folder.mkdir()
    for command in ("startproject shop .", "startapp orders"):
        run("django", *command.split(), folder=folder)
    Editor(folder, text).write_all()
    settings = folder / "shop" / "settings.py"
    # An empty list needs a type, which Django's template of settings does not give it.
    write(settings, settings.read_text().replace("HOSTS = []", "HOSTS: list[str] = []"))


def check(project: Path, settings: str, cache: Path) -> int:
    """Let mypy check a project, and return its exit code."""
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as config:
        config.write(CONFIG.format(source=ROOT / "src", settings=settings))
        config.flush()
        options = ["--config-file", config.name, "--cache-dir", str(cache / settings)]
        return run("mypy", *options, ".", folder=project)


def run(module: str, *args: str, folder: Path) -> int:
    """Run a module in a folder from which Python imports."""
    return subprocess.run([sys.executable, "-m", module, *args], cwd=folder).returncode


def write(path: Path, text: str) -> None:
    """Write a file, in a package if it is in a folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
