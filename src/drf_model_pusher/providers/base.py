"""What a provider is, and the one instance of each that a process keeps."""

from __future__ import annotations

import json
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import groupby
from operator import attrgetter
from pkgutil import resolve_name
from typing import Any, ClassVar

from django.core.signals import setting_changed

from drf_model_pusher.conf import app_settings
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import DeclarationError, ProviderError, SettingError
from drf_model_pusher.forks import after_fork, notice_fork


class BaseProvider(ABC):
    """Carries events. One instance serves a whole process, from any of its threads."""

    # Whether it is itself for tests, so that none has to stand in for it.
    _is_for_tests: ClassVar[bool] = False

    # For subclasses

    def configure(self) -> None:  # noqa: B027 - nothing, for those that need nothing
        """Get ready from the settings; called once, before the first event."""

    @abstractmethod
    def trigger(
        self, channels: list[str], event_name: str, data: Any, socket_id: str | None = None
    ) -> None:
        """Send one event, or raise.

        A ``ProviderError`` says whether a retry may help. Of other exceptions only ``OSError``,
        which covers the network's, is taken to be worth one.

        Args:
            channels: Full channel names.
            event_name: Such as ``order.update``.
            data: JSON-ready Python values.
            socket_id: The connection to leave out.
        """

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Send events in their order; override it where several fit into one call.

        Raises:
            ProviderError: At the first event that was not taken. Its ``sent`` counts the events
                that had left by then.
        """
        for sent, event in enumerate(events):
            try:
                if sent:
                    before_call()
                self.trigger(list(event.channels), event.name, event.json(), event.socket_id)
            except ProviderError as error:
                error.sent, error.refused = sent, 1
                raise
            except Exception as error:
                raise ProviderError.of(error, sent=sent) from error

    def occupied_channels(
        self, prefix: str = "", attributes: Sequence[str] = ()
    ) -> Mapping[str, Mapping[str, Any]] | None:
        """Return the channels that somebody has subscribed to, or None where that is unknown.

        Optional: without it, the optimisation for occupied channels sends to all of them.

        Args:
            prefix: Only channels whose names begin with it.
            attributes: What else to tell of each channel: ``user_count``, which the protocol has
                for the prefix ``presence-`` only, and ``subscription_count``.

        Raises:
            ProviderError: The service could not be asked.
        """
        return None

    def terminate_user(self, user_id: str) -> None:
        """End all connections that have signed in as this user.

        Optional: without it, connections end when their clients leave.

        Raises:
            ProviderError: The service could not be told.
        """
        raise ProviderError(f"{type(self).__qualname__} cannot end connections")


class BatchProvider(BaseProvider):
    """A provider that takes events as they are, several at a time: its one method is ``send()``."""

    def trigger(
        self, channels: list[str], event_name: str, data: Any, socket_id: str | None = None
    ) -> None:
        """Send one event."""
        self.send(
            [
                PusherEvent(
                    channels=tuple(channels),
                    name=event_name,
                    data=json.dumps(data, ensure_ascii=False, separators=(",", ":")),
                    socket_id=socket_id,
                )
            ]
        )

    @abstractmethod
    def send(self, events: Sequence[PusherEvent]) -> None:
        """Send events in their order."""


_checks: ContextVar[Callable[[], None] | None] = ContextVar("checks", default=None)


@contextmanager
def before_each_call(check: Callable[[], None]) -> Iterator[None]:
    """Make a check before each call that the block makes; it raises ProviderError to refuse it."""
    token = _checks.set(check)
    try:
        yield
    finally:
        _checks.reset(token)


def before_call() -> None:
    """Make the check that is asked for, if any: before each call of ``send()`` but its first."""
    if check := _checks.get():
        check()


def carry(provider: BaseProvider, events: Sequence[PusherEvent]) -> None:
    """Send events in their order; one that ends a user's connections is a call of its own.

    Raises:
        ProviderError: As ``BaseProvider.send()`` raises it.
    """
    start = 0
    for terminates, group in groupby(events, key=attrgetter("terminates")):
        part = list(group)
        try:
            before_call()
            if terminates is None:
                provider.send(part)
            else:
                provider.terminate_user(terminates)
        except ProviderError as error:
            error.sent += start
            raise
        except Exception as error:
            raise ProviderError.of(error, sent=start, refused=len(part)) from error
        start += len(part)


#: The provider that tests have instead of each other, while it is that of the settings.
STAND_IN = "drf_model_pusher.testing.StandInProvider"

_classes: dict[str, type[BaseProvider]] = {}
_instances: dict[type[BaseProvider], BaseProvider] = {}

# Reentrant, since a provider may ask for another one while it is configured.
_lock = threading.RLock()


def get_provider(provider: str | type[BaseProvider] | None = None) -> BaseProvider:
    """Return this process's instance of a provider.

    Args:
        provider: Its dotted path or its class; by default that of the settings.

    Raises:
        SettingError: The setting names no provider.
        DeclarationError: The path names no provider.
    """
    notice_fork()
    found = _default_class() if provider is None else _class_of(provider)
    if app_settings.DRF_MODEL_PUSHER_PROVIDER == STAND_IN and not found._is_for_tests:
        found = _default_class()
    return _configured(found)


def provider_path(provider: str | type[BaseProvider] | None) -> str | None:
    """Return the dotted path by which ``get_provider()`` finds a provider.

    A class that stands inside a function is found in this process alone.
    """
    if provider is None or isinstance(provider, str):
        return provider
    path = f"{provider.__module__}.{provider.__qualname__}"
    _classes[path] = provider
    return path


def is_default(provider: str | type[BaseProvider] | None) -> bool:
    """Return whether this is the provider of the settings; None stands for it."""
    return provider is None or _class_of(provider) is _default_class()


def _class_of(provider: str | type[BaseProvider]) -> type[BaseProvider]:
    if not isinstance(provider, str):
        return provider
    if provider not in _classes:
        try:
            found = resolve_name(provider)
            if not issubclass(found, BaseProvider):
                raise TypeError  # noqa: TRY301 - as for what is no class at all
        except (ImportError, AttributeError, ValueError, TypeError) as error:
            raise DeclarationError(
                f"The provider {provider!r} cannot be imported, or is no provider."
            ) from error
        _classes[provider] = found
    return _classes[provider]


def _default_class() -> type[BaseProvider]:
    path = app_settings.DRF_MODEL_PUSHER_PROVIDER
    try:
        return _class_of(path)
    except DeclarationError as error:
        raise SettingError(
            f"The setting DRF_MODEL_PUSHER_PROVIDER names {path!r}, which cannot be imported.",
            hint="DRF_MODEL_PUSHER_PROVIDER is the dotted path of a subclass of BaseProvider.",
        ) from error


def _configured(provider_class: type[BaseProvider]) -> BaseProvider:
    provider = _instances.get(provider_class)
    if provider is None:
        with _lock:
            provider = _instances.get(provider_class)
            if provider is None:
                provider = provider_class()
                provider.configure()
                _instances[provider_class] = provider
    return provider


def _forget_instances(*, setting: str, **kwargs: object) -> None:
    """Configure providers anew when a test overrides a setting that they were made from."""
    if "PUSHER" in setting:
        with _lock:
            _instances.clear()


def _renew_lock() -> None:
    """Replace the lock in a forked child: whoever held it does not exist there."""
    global _lock
    _lock = threading.RLock()


after_fork(_renew_lock)
if hasattr(os, "register_at_fork"):
    # What another thread imports to configure a provider would stay half imported in the child.
    os.register_at_fork(before=lambda: _lock.acquire(), after_in_parent=lambda: _lock.release())
setting_changed.connect(_forget_instances, dispatch_uid="drf_model_pusher.providers")
