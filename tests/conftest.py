from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable, Iterator

import pytest
from django import VERSION
from django.contrib.contenttypes.management import create_contenttypes
from django.db.models.signals import post_migrate
from django.utils.module_loading import import_string
from hypothesis import settings as hypothesis_settings

from drf_model_pusher.providers import MemoryProvider
from drf_model_pusher.registry import registry
from tests.availability import unavailable
from tests.pusher_api import PusherApi

# A shell that starts the tests in the background makes them, and their children, ignore SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis_settings.register_profile("default", deadline=None)
hypothesis_settings.register_profile("thorough", deadline=None, max_examples=10_000)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings) -> None:
    """Who asks for permissions makes them: else all are made anew after each flush."""
    name = "django.contrib.auth.management.create_permissions"
    assert post_migrate.disconnect(dispatch_uid=name)
    assert post_migrate.disconnect(create_contenttypes)


@pytest.fixture(autouse=True)
def own_providers(settings) -> None:
    """Many tests here are about providers: none stands in for another."""
    settings.DRF_MODEL_PUSHER_PROVIDER = "drf_model_pusher.providers.PusherProvider"


@pytest.fixture
def pusher_api(settings) -> Iterator[PusherApi]:
    """A real HTTP server in the place of Pusher's, which the settings point to."""
    with PusherApi(key=settings.PUSHER_KEY, secret=settings.PUSHER_SECRET) as api:
        settings.PUSHER_HOST = "127.0.0.1"
        settings.PUSHER_PORT = api.port
        settings.PUSHER_SSL = False
        yield api


@pytest.fixture
def memory(settings) -> Iterator[list]:
    """The events that the memory provider was given."""
    settings.DRF_MODEL_PUSHER_PROVIDER = "drf_model_pusher.providers.MemoryProvider"
    MemoryProvider.events.clear()
    yield MemoryProvider.events
    MemoryProvider.events.clear()


@pytest.fixture
def own_registry(monkeypatch) -> Iterator[None]:
    """Backends that a test declares are forgotten after it; those of the apps stay."""
    before = set(registry)
    kept = {model: list(backends) for model, backends in registry._backends.items()}
    monkeypatch.setattr(registry, "_backends", kept)
    yield
    for backend in set(registry) - before:
        registry.unregister(backend)


@pytest.fixture
def use_task_backend() -> Iterator[Callable]:
    """Let Django Tasks, wherever they come from, use one of their own backends."""
    package = "django.tasks" if VERSION >= (6,) else "django_tasks"
    try:
        tasks = importlib.import_module(package)
    except ImportError:
        unavailable("Django Tasks are not installed")

    def use(kind):
        path = f"{package}.backends.{kind.lower()}.{kind}Backend"
        tasks.task_backends["default"] = import_string(path)(alias="default", params={})
        return tasks.task_backends["default"]

    yield use
    del tasks.task_backends["default"]
