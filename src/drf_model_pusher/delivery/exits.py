"""Calls a function however a process ends, except by a kill."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType


def before_exit_of_child(flush: Callable[[], object]) -> None:
    """Call a function before a child of a process pool ends, which skips the interpreter's exit."""
    if "multiprocessing.util" in sys.modules:
        sys.modules["multiprocessing.util"].Finalize(None, flush, exitpriority=100)
    if "celery.signals" in sys.modules:
        sys.modules["celery.signals"].worker_process_shutdown.connect(
            lambda **kwargs: flush(), weak=False, dispatch_uid="drf_model_pusher.delivery"
        )


def before_sigterm(flush: Callable[[], object]) -> None:
    """Call a function before SIGTERM ends a plain process, such as a management command.

    Only where nobody else has a handler, and from the main thread, which alone may set one. The
    process still ends by the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def end(signum: int, frame: FrameType | None) -> None:
        flush()
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)

    signal.signal(signal.SIGTERM, end)
