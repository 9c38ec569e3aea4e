"""Traffic on its way to a terminal."""

from __future__ import annotations

import contextlib
import os
import threading

from pusher_dev_server.activity import Activity, Kind
from pusher_dev_server.printer import BACKLOG, Printer


def activity(event: str) -> Activity:
    return Activity(kind=Kind.PUBLISHED, app_id="1", channel="a", event=event)


class Terminal:
    """What is written to, once it moves."""

    def __init__(self, *, moves: bool = True) -> None:
        self.text = ""
        self.moves = threading.Event()
        if moves:
            self.moves.set()

    def write(self, text: str) -> None:
        self.moves.wait(5)
        self.text += text

    def flush(self) -> None:
        pass


def test_all_is_printed_before_the_end():
    terminal = Terminal()
    with Printer(terminal) as show:
        for number in range(10):
            show(activity(f"e{number}"))
    assert [line.split()[-1] for line in terminal.text.splitlines()] == [
        f"e{number}" for number in range(10)
    ]


def test_what_comes_too_fast_is_counted():
    terminal = Terminal(moves=False)
    with Printer(terminal) as show:
        for number in range(BACKLOG + 10):
            show(activity(f"e{number}"))
        terminal.moves.set()
    assert " more came too fast to be shown" in terminal.text


def test_a_terminal_that_has_gone_is_no_matter():
    read, write = os.pipe()
    os.close(read)
    with contextlib.suppress(BrokenPipeError), open(write, "w", encoding="utf-8") as file:
        with Printer(file) as show:
            show(activity("e"))
        assert not show._thread.is_alive()
