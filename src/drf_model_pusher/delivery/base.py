"""What a delivery is, and the one instance of each that a process keeps."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, ClassVar, Literal

from django.utils.module_loading import import_string

from drf_model_pusher import forks
from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.commits import after_commit
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import SettingError


class BaseDelivery(ABC):
    """Takes events at the change and sees that they leave if, and only if, it is committed.

    Each says what it promises, for the docs, the contract tests, and whoever must choose. What a
    subclass does not say it does not promise.
    """

    # For subclasses

    leaves: ClassVar[str] = "after the commit"
    """When events leave, from where, and how many at a time: the words of a table."""

    survives_crash: ClassVar[bool | None] = False
    """Whether a committed event leaves even if this process is killed; None: as its queue says."""

    keeps_order: ClassVar[Literal["transaction", "thread", "process", "object"] | None] = None
    """Of what the events leave in the order of the changes; None for no order.

    What is kept for a process or an object is kept for each transaction too.
    """

    waits_for_provider: ClassVar[bool] = True
    """Whether the thread that commits waits until the provider has answered."""

    needs: ClassVar[str] = "nothing"
    """What it takes beside this package."""

    joins_transaction: ClassVar[bool] = False
    """Whether events are written into the database of the change; views commit both together."""

    @abstractmethod
    def send(self, events: Sequence[PusherEvent]) -> None:
        """Let events leave; called after the commit, in the thread that committed.

        All events that one transaction pushed come in one call, in their order. A failure of the
        provider must not be raised: it would reach the API request.
        """

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was taken has left this process; say whether it has.

        Args:
            timeout: Seconds to wait at the most, by default what the delivery finds reasonable.
        """
        return True

    def accept(self, events: Sequence[PusherEvent], *, using: str | None = None) -> None:
        """Take events while the transaction of their change is open; by default, send them after.

        Override it to write them into the database of the change.
        """
        after_commit(self.send, events, using=using)

    def waiting(self) -> int | None:
        """Return about how many events wait in this process; None where none ever does."""
        return None

    # You should not need to override

    def deliver(self, events: Sequence[PusherEvent], *, using: str | None = None) -> None:
        """Take events that belong to the current transaction.

        Args:
            events: What to send, in order.
            using: The alias of the database that the change was written to.
        """
        if _held.get() is None or not postponed(partial(self.deliver, events, using=using)):
            self.accept(events, using=using)

    def put_off(
        self, make: Callable[[Sequence[Any]], None], changes: Sequence[Any], *, using: str
    ) -> None:
        """Keep changes, and events that come after them, until the commit; events are made then.

        Args:
            make: Makes and delivers the events of all that the transaction has left so.
            changes: What to make events of.
            using: The alias of the database whose transaction decides.
        """
        after_commit(make, changes, using=using, instead_of=self.send)

    def writes_in_transaction(self) -> bool:
        """Say whether events must be made before the commit, since they are committed as well."""
        kind = type(self)
        return not (kind.accept is BaseDelivery.accept and kind.deliver is BaseDelivery.deliver)


class _Held:
    """What waits for the end of a block, which tasks that began in it may outlive."""

    def __init__(self) -> None:
        self.delivers: list[Callable[[], None]] = []
        self.over: bool = False


_held: ContextVar[_Held | None] = ContextVar("held", default=None)


@contextmanager
def set_aside() -> Iterator[list[Callable[[], None]]]:
    """Keep what is pushed in the block, as calls that push it."""
    held = _Held()
    token = _held.set(held)
    try:
        yield held.delivers
    finally:
        _held.reset(token)
        held.over = True


@contextmanager
def held_back() -> Iterator[None]:
    """Keep events until the end of the block; if the block fails they are forgotten.

    For a deletion, whose events are made while the object is still there.
    """
    with set_aside() as delivers:
        yield
    for deliver in delivers:
        deliver()


def postponed(call: Callable[[], None]) -> bool:
    """Say whether a block keeps what is pushed; the call is kept then."""
    held = _held.get()
    if held is None or held.over:
        return False
    held.delivers.append(call)
    return True


def is_held_back() -> bool:
    """Say whether events are kept until the end of a block."""
    return (held := _held.get()) is not None and not held.over


_instances: dict[str, BaseDelivery] = {}

# Reentrant, since a delivery may ask for another one while it is made.
_lock = threading.RLock()


def get_delivery() -> BaseDelivery:
    """Return this process's instance of the delivery that the settings name.

    Raises:
        SettingError: They name none.
    """
    if os.getpid() != forks.pid:  # asked here, since each push asks
        forks.notice_fork()
    path = app_settings.DRF_MODEL_PUSHER_DELIVERY
    if (delivery := _instances.get(path)) is None:
        with _lock:
            if (delivery := _instances.get(path)) is None:
                delivery = _instances[path] = _delivery_class(path)()
    return delivery


def _delivery_class(path: str) -> type[BaseDelivery]:
    why = ""
    try:
        found = import_string(path)
    except ImportError as error:
        found, why = None, f" ({error})"
    if isinstance(found, type) and issubclass(found, BaseDelivery):
        return found
    raise SettingError(
        f"The setting DRF_MODEL_PUSHER_DELIVERY names {path!r}, which is no delivery.",
        hint=f"DRF_MODEL_PUSHER_DELIVERY is the dotted path of a subclass of BaseDelivery{why}.",
    )


def _renew_lock() -> None:
    """Replace the lock in a forked child: whoever held it does not exist there."""
    global _lock
    _lock = threading.RLock()


forks.after_fork(_renew_lock)
