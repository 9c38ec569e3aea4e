"""The demo as its users start it: a process of its own, on a free port, with a board of its own."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

COMMAND = [sys.executable, str(Path(__file__).parents[2] / "example" / "manage.py"), "demo"]
# Of the tests' own environment, all but the name of their settings, which pytest-django puts there.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}


class Visitor:
    """Somebody who is signed in, without a browser."""

    def __init__(self, url: str, username: str) -> None:
        self.url = url
        self.cookies = CookieJar()
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.cookies))
        with self._opener.open(url, timeout=10) as page:
            token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
        form = urlencode({"username": username, "csrfmiddlewaretoken": token[1]})
        with self._opener.open(f"{url}enter", form.encode(), timeout=10) as page:
            self.page = page.read().decode()

    def call(self, path: str, body: bytes | None = None) -> Any:
        """GET, or POST a JSON body, and return the decoded answer."""
        token = next(cookie.value for cookie in self.cookies if cookie.name == "csrftoken")
        headers = {"Content-Type": "application/json", "X-CSRFToken": token}
        request = Request(self.url + path, body, headers)
        with self._opener.open(request, timeout=10) as response:
            return json.load(response)


class Demo:
    """A running demo, inside its ``with`` block."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--port", "0", "--database", str(folder / "board.sqlite3")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=ENVIRONMENT,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Demo:
        self._reader.start()
        try:
            self.url = self.wait_for_line(r"http://127\.0\.0\.1:\d+/")[0]
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def enter(self, username: str) -> Visitor:
        """Sign somebody in, as the first page does."""
        return Visitor(self.url, username)

    def wait_for_line(self, pattern: str, timeout: float = 30) -> re.Match[str]:
        """Return the match in the next line of the terminal that has one."""
        seen: list[str] = []
        while True:
            line = self._lines.get(timeout=timeout)
            assert line is not None, f"The demo has ended: {''.join(seen)}"
            seen.append(line)
            if match := re.search(pattern, line):
                return match

    def end(self) -> int:
        """Tell it to stop, and return its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self._reader.join()
            self.process.stdout.close()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)
