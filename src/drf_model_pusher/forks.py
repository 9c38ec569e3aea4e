"""What a forked child must not take over from its parent: connections, threads, held locks."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from inspect import ismethod


def after_fork(start_afresh: Callable[[], None]) -> None:
    """Call something in each forked child, while the child still has one thread.

    A lock that another thread of the parent held will never be released in the child, so what has
    one makes it anew here. What is registered stays for ever; a method, though, is forgotten with
    its object.
    """
    if not hasattr(os, "register_at_fork"):
        return
    if not ismethod(start_afresh):
        os.register_at_fork(after_in_child=start_afresh)
        return
    reference = weakref.WeakMethod(start_afresh)

    def call() -> None:
        if method := reference():
            method()

    os.register_at_fork(after_in_child=call)
