"""What a forked child must not take over from its parent: connections, threads, held locks."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from inspect import ismethod

# Each returns what is to be called, or None once that has gone.
_registered: list[Callable[[], Callable[[], None] | None]] = []

#: The process that all this belongs to.
pid = os.getpid()
_lock = threading.Lock()


def after_fork(start_afresh: Callable[[], None]) -> None:
    """Call something in each forked child, while the child still has one thread.

    A lock that another thread of the parent held will never be released in the child, so what has
    one makes it anew here. What is registered stays for ever; a method, though, is forgotten with
    its object.
    """
    if ismethod(start_afresh):
        _registered.append(weakref.WeakMethod(start_afresh))
    else:
        _registered.append(lambda: start_afresh)


def notice_fork() -> None:
    """See to it that a child starts afresh that was forked behind Python's back, as by uWSGI."""
    if os.getpid() != pid:
        with _lock:
            if os.getpid() != pid:  # no other thread has noticed meanwhile
                _start_afresh()


def _start_afresh() -> None:
    global pid
    for find in _registered[:]:
        if start_afresh := find():
            start_afresh()
        else:
            _registered.remove(find)
    pid = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)
