"""Somebody who types what a page shows, looks at what appears, and writes its files."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import site
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
STEP = re.compile(r"^## (?P<heading>[^\n]+)$|^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.S | re.M)
#: A folder with wheels of both packages, to install in the place of what the tests run with: `pip`
#: is really run then.
WHEELS = os.environ.get("TUTORIAL_WHEELS")
INSTALL = re.compile(r'pip install (?:--quiet )?--pre "?drf-model-pusher(\[\w+\])?"?')


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

    def __init__(self, folder: Path, text: str) -> None:
        self.site_port, self.folder = free_port(), folder
        text = text.replace("8000", self.site_port).replace("6001", free_port())
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
        extra = INSTALL.fullmatch(command)[1] or ""
        if WHEELS:
            constraints, folder = ROOT / "constraints.txt", ROOT / WHEELS
            (wheel,) = folder.glob("drf_model_pusher-*.whl")
            options = f"-q -c {constraints} --find-links {folder}"
            self.terminal.type(f'pip install {options} "{wheel}{extra}"')
            where = "import drf_model_pusher as it; print(it.__file__)"
            assert f"{self.project}/.venv/" in self.terminal.type(f"python -c '{where}'")
            return
        (packages,) = self.project.glob(".venv/lib/python3*/site-packages")
        folders = [path for path in site.getsitepackages() if Path(path).exists()]
        lines = [f"import site; site.addsitedir({folder!r})\n" for folder in folders]
        (packages / "installed.pth").write_text("".join(lines))

    def end(self):
        self.terminal.end()
        for each in self.left:
            each.end()
