"""What a delivery is, and the one instance of each that a process keeps."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

from django.utils.module_loading import import_string

from drf_model_pusher import forks
from drf_model_pusher.conf import app_settings
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

    def store(self, changes: Sequence[Any], *, using: str) -> None:
        """Write changes, and events about no object, into the database of the change.

        Called within its transaction, where ``joins_transaction`` says so, instead of ``send()``.

        Args:
            changes: What was recorded, in order.
            using: The alias of the database.

        Raises:
            DatabaseError: They could not be written; the change must not be committed either.
        """
        raise NotImplementedError(f"{type(self).__qualname__} stores nothing.")

    def waiting(self) -> int | None:
        """Return about how many events wait in this process; None where none ever does."""
        return None


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


@contextmanager
def in_use(delivery: BaseDelivery) -> Iterator[None]:
    """Let an instance be the one that the settings name, as tests of deliveries need it."""
    path = app_settings.DRF_MODEL_PUSHER_DELIVERY
    before = _instances.get(path)
    _instances[path] = delivery
    try:
        yield
    finally:
        _instances.pop(path)
        if before is not None:
            _instances[path] = before


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
