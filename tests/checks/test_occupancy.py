import sys

import pytest
from django.core.checks import run_checks
from django.urls import include, path

from drf_model_pusher.checks.occupancy import check_occupancy
from drf_model_pusher.views import ChannelExistenceWebhook

REDIS = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": "redis://127.0.0.1:6379",
}


class OwnWebhook(ChannelExistenceWebhook):
    pass


class Routes:
    """A URLconf."""

    def __init__(self, *patterns):
        self.urlpatterns = patterns


@pytest.fixture(autouse=True)
def _settings(settings):
    pytest.importorskip("redis")
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    settings.CACHES = {"default": REDIS}
    settings.ROOT_URLCONF = "drf_model_pusher.urls"


def ids():
    return [message.id.removeprefix("drf_model_pusher.") for message in check_occupancy()]


def test_a_shared_cache_and_a_route_are_fine():
    assert ids() == []


def test_the_check_is_registered(settings):
    settings.ROOT_URLCONF = Routes()
    assert "drf_model_pusher.W002" in [message.id for message in run_checks()]


@pytest.mark.parametrize("kind", ["locmem.LocMemCache", "dummy.DummyCache"])
def test_a_cache_of_one_process_is_a_warning(settings, kind):
    settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{kind}"}}
    assert ids() == ["W001"]
    settings.CACHES = {**settings.CACHES, "channels": REDIS}
    settings.DRF_MODEL_PUSHER_CACHE = "channels"
    assert ids() == []


@pytest.mark.parametrize("kind", ["db.DatabaseCache", "filebased.FileBasedCache"])
def test_a_cache_that_throws_entries_away_is_a_warning(settings, kind):
    cache = {"BACKEND": f"django.core.cache.backends.{kind}", "LOCATION": "/nowhere"}
    settings.CACHES = {"default": cache}
    assert ids() == ["W004"]
    settings.CACHES = {"default": {**cache, "OPTIONS": {"MAX_ENTRIES": 10_000}}}
    assert ids() == []


def test_a_cache_that_is_not_there_is_an_error(settings):
    settings.DRF_MODEL_PUSHER_CACHE = "nowhere"
    assert ids() == ["E005"]


def test_a_cache_whose_package_is_not_installed_is_an_error(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    settings.CACHES = {"default": REDIS}
    assert ids() == ["E005"]


@pytest.mark.parametrize(
    "routes",
    [
        Routes(path("hook", ChannelExistenceWebhook.as_view())),
        Routes(path("hook", OwnWebhook.as_view())),
        Routes(path("a/", include([path("b/", include("drf_model_pusher.urls"))]))),
    ],
)
def test_a_route_may_be_anywhere(settings, routes):
    settings.ROOT_URLCONF = routes
    assert ids() == []


def test_no_route_is_a_warning_that_says_what_to_add(settings):
    settings.ROOT_URLCONF = Routes(path("other", lambda request: None))
    (warning,) = check_occupancy()
    assert warning.id == "drf_model_pusher.W002"
    assert 'include("drf_model_pusher.urls")' in warning.hint


@pytest.mark.parametrize(
    "setting",
    [
        {"DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED": False},
        {"DRF_MODEL_PUSHER_DISABLED": True},
    ],
)
def test_without_the_optimisation_nothing_is_needed(settings, setting):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    settings.ROOT_URLCONF = Routes()
    for name, value in setting.items():
        setattr(settings, name, value)
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED", "True"),
        ("DRF_MODEL_PUSHER_OCCUPANCY_MAX_AGE", 0),
        ("DRF_MODEL_PUSHER_WEBHOOK_MAX_BYTES", 5),
        ("DRF_MODEL_PUSHER_WEBHOOK_MAX_AGE", -1),
        ("PUSHER_EXTRA_KEYS", ["hidden"]),
        ("PUSHER_EXTRA_KEYS", {"hidden": 5}),
        ("PUSHER_EXTRA_KEYS", {"hidden": ""}),
    ],
)
def test_a_wrong_setting_is_one_error_that_hides_secrets(settings, name, value):
    setattr(settings, name, value)
    (error,) = [each for each in run_checks() if each.id.startswith("drf_model_pusher")]
    assert error.id == "drf_model_pusher.E001"
    assert name in error.msg
    assert "hidden" not in error.msg + error.hint


def test_the_cache_that_remembers_keys_of_clients_must_be_shared(settings):
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = False
    settings.PUSHER_ENCRYPTION_OLDER_MASTER_KEY_BASE64 = (
        "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU="
    )
    assert ids() == []
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    (warning,) = check_occupancy()
    assert (warning.id, "keys" in warning.msg) == ("drf_model_pusher.W001", True)
