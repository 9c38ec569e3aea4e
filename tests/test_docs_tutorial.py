"""The tutorial, followed word by word in an empty folder: its files, its commands, its browsers."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import site
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.availability import unavailable
from tests.e2e.test_board import CHROMIUM, FLAGS, PUSHER_JS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "tutorial.md"
STEP = re.compile(r"^## (?P<heading>[^\n]+)$|^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.S | re.M)
#: A wheel to install in the place of what the tests run with: `pip` is really run then.
WHEEL = os.environ.get("TUTORIAL_WHEEL")


def fits(shown, output):
    """Say whether output is what is shown, in which `…` stands for anything."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
        for line in shown.strip("\n").splitlines()
    )
    lines = output.strip("\n").splitlines()
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


class Terminal:
    """A shell that a reader types into."""

    def __init__(self, folder, env):
        self.process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, command):
        """Return what a command prints."""
        self.process.stdin.write(f"{command} </dev/null; echo :end: $?\n")
        self.process.stdin.flush()
        timer = threading.Timer(300, self.process.kill)
        timer.start()
        output = ""
        for line in self.process.stdout:
            output += line
            if end := re.search(r":end: (\d+)\n\Z", output):
                timer.cancel()
                output = output[: end.start()]
                assert end[1] == "0", f"$ {command}\n{output}"
                return output
        raise AssertionError(f"$ {command}\n{output}")

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Left:
    """A command that is left running in a terminal of its own."""

    def __init__(self, command, folder, env, log):
        self.command, self.log = command, log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                ["bash", "-c", f". .venv/bin/activate; exec {command}"],
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, shown, within=None):
        """Wait until the terminal is as shown, or has a line that is."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            output = self.log.read_text()
            if any(map(within, output.splitlines())) if within else fits(shown, output):
                return
            time.sleep(0.1)
        raise AssertionError(f"{shown}\nis not what appears:\n{output}")

    def starts(self):
        """Return how often the site has started."""
        return len(re.findall(r"^Starting .*development server", self.log.read_text(), re.M))

    def waits_for_start(self, after, seconds):
        """Say whether the site starts once more within some seconds, and takes connections."""
        port = int(re.search(r"\d+$", self.command)[0])
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.starts() > after:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    return True
            time.sleep(0.1)
        return False

    def end(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Editor:
    """Writes and changes the files of a project as a page says."""

    def __init__(self, project: Path, text: str) -> None:
        self.project, self.text = project, text

    def write_all(self) -> None:
        for step in STEP.finditer(self.text):
            if step["kind"] == "diff":
                self.do_diff(step["text"])
            elif step["kind"] not in (None, "console", "text"):
                self.write(step["text"])

    def do_diff(self, text):
        name, *lines = text.splitlines()
        path = self.project / name.strip()
        old, new = (
            "\n".join(line[1:] for line in lines if line[0] in sign) for sign in (" -", " +")
        )
        assert path.read_text().count(old) == 1, f"{name}: {old}"
        self.save(path, path.read_text().replace(old, new))

    def write(self, text):
        first = text.partition("\n")[0].strip("#<>!- ")
        name, _, where = first.partition(",")
        path = self.project / name
        path.parent.mkdir(exist_ok=True)
        self.save(path, (path.read_text() if where else "") + text)

    def save(self, path, text):
        path.write_text(text)


class Reader(Editor):
    """Does what the page says, step by step; only the two ports are others."""

    def __init__(self, folder):
        self.site_port, self.folder = free_port(), folder
        text = PAGE.read_text().replace("8000", self.site_port).replace("6001", free_port())
        super().__init__(folder / "shop", text)
        self.env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
            "NO_PROXY": "127.0.0.1",
        }
        for name in ("DJANGO_SETTINGS_MODULE", "VIRTUAL_ENV", "PYTHONWARNINGS"):
            self.env.pop(name, None)
        self.terminal = Terminal(folder, self.env)
        self.left = []

    def follow(self, after_section):
        heading = ""
        for step in STEP.finditer(self.text):
            if step["heading"]:
                after_section(heading)
                heading = step["heading"]
            else:
                getattr(self, f"do_{step['kind']}", self.write)(step["text"])
        after_section(heading)

    def do_console(self, text):
        for each in re.split(r"^\$ ", text, flags=re.M)[1:]:
            command, _, shown = each.partition("\n")
            if re.search("pusher_server|runserver", command):
                log = self.folder / f"{len(self.left)}.log"
                self.left.append(Left(command, self.project, self.env, log))
                self.left[-1].wait_for(shown)
            elif command.startswith("pip "):
                self.install(command)
            else:
                output = self.terminal.type(command)
                assert fits(shown, output), f"$ {command}\n{output}\nis not\n{shown}"

    def do_text(self, text):
        """Look into the terminal of the server."""
        self.left[0].wait_for(text, within=lambda line: fits(text, line))

    def save(self, path, text):
        """Write a file, and let a site that runs this code start again before going on."""
        sites = [each for each in self.left if "runserver" in each.command]
        running = sites if path.suffix == ".py" and path.exists() else []
        started = [each.starts() for each in running]
        path.write_text(text)
        for each, before in zip(running, started, strict=True):
            # Django's reloader misses what is saved while it starts: a reader saves again.
            for _ in range(6):
                if each.waits_for_start(after=before, seconds=5):
                    break
                os.utime(path)
            else:
                raise AssertionError(f"{path.name} did not start the site anew")

    def install(self, command):
        assert command == 'pip install --quiet --pre "drf-model-pusher[server]"'
        if WHEEL:
            constraints = ROOT / "constraints.txt"
            self.terminal.type(f'pip install -q -c {constraints} "{Path(WHEEL).resolve()}[server]"')
            return
        (packages,) = self.project.glob(".venv/lib/python3*/site-packages")
        folders = [path for path in site.getsitepackages() if Path(path).exists()]
        lines = [f"import site; site.addsitedir({folder!r})\n" for folder in folders]
        (packages / "installed.pth").write_text("".join(lines))

    def end(self):
        self.terminal.end()
        for each in self.left:
            each.end()


@pytest.fixture
def reader(tmp_path):
    if sys.platform == "win32" or shutil.which("bash") is None or shutil.which("curl") is None:
        unavailable("the tutorial needs bash and curl")
    pytest.importorskip("uvicorn", reason="the extra [server] is not installed")
    reader = Reader(tmp_path)
    yield reader
    reader.end()


@pytest.fixture
def open_window(reader):
    """Return what opens a window of a new visitor; None without a browser."""
    script = PUSHER_JS / "dist" / "web" / "pusher.min.js"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        yield None
        return
    if CHROMIUM is None or not script.exists():
        yield None
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        def open_window():
            page = browser.new_context().new_page()
            page.set_default_timeout(30_000)
            page.route("https://js.pusher.com/**", lambda route: route.fulfill(path=script))
            page.goto(f"http://127.0.0.1:{reader.site_port}/")
            return page

        yield open_window
        browser.close()


def test_whoever_follows_the_tutorial_gets_what_it_shows(reader, open_window):
    windows = []

    def two_browsers():
        windows.extend([open_window(), open_window()])
        for window in windows:
            window.get_by_text("Ada: open").wait_for()
        windows[0].get_by_placeholder("Customer").fill("Grace")
        windows[0].get_by_role("button", name="Add").click()
        for window in windows:
            window.get_by_text("Grace: open").wait_for()
        windows[1].get_by_role("button", name="Pay").last.click()
        for window in windows:
            window.get_by_text("Grace: paid").wait_for()

    def only_for_those_who_may_see_it():
        for window in windows:
            window.reload()
            window.get_by_text("refused (403)").wait_for()
        signed_in, other = windows
        signed_in.goto(f"http://127.0.0.1:{reader.site_port}/accounts/login/?next=/")
        signed_in.get_by_label("Username").fill("ada")
        signed_in.get_by_label("Password").fill("lovelace")
        signed_in.get_by_role("button", name="Log in").click()
        signed_in.get_by_text("live", exact=True).wait_for()
        signed_in.get_by_text("Grace: paid").wait_for()
        other.reload()
        other.get_by_text("refused (403)").wait_for()
        assert other.get_by_role("listitem").count() == 0

    browsing = {
        "Two browsers": two_browsers,
        "Only for those who may see it": only_for_those_who_may_see_it,
    }

    def after_section(heading):
        step = browsing.pop(heading, None)
        if step and open_window:
            step()

    reader.follow(after_section)
    assert not browsing
    if open_window is None:
        unavailable("all but the browsers: there is no chromium, playwright or pusher-js")
