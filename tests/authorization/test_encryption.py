"""The secrets of encrypted channels while the master key is changed."""

import base64

import pytest
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache

from drf_model_pusher.authorization import encryption
from drf_model_pusher.authorization.encryption import secret_for
from drf_model_pusher.authorization.signing import shared_secret
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import DeclarationError, SettingError

NEW, OLD = b"n" * 32, b"o" * 32
CHANNEL = "private-encrypted-a"


@pytest.fixture(autouse=True)
def keys(settings):
    settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = base64.b64encode(NEW).decode()
    settings.PUSHER_ENCRYPTION_OLDER_MASTER_KEY_BASE64 = base64.b64encode(OLD).decode()
    cache.clear()


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1_000.0

        def time(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(encryption, "time", clock)
    return clock


def which(channel=CHANNEL, socket_id="1.2"):
    secrets = {shared_secret(channel, NEW): "new", shared_secret(channel, OLD): "old"}
    return secrets[secret_for(socket_id, channel)]


def test_without_an_older_key_the_answer_is_always_the_current_one(settings):
    settings.PUSHER_ENCRYPTION_OLDER_MASTER_KEY_BASE64 = None
    assert [which() for _ in range(3)] == ["new"] * 3


def test_the_first_answer_is_the_current_key(clock):
    assert which() == "new"


def test_who_asks_again_could_not_read_it_and_gets_the_other_in_turn(clock):
    answers = []
    for _ in range(4):
        answers.append(which())
        clock.now += 5
    assert answers == ["new", "old", "new", "old"]


def test_events_that_fail_together_get_one_answer(clock):
    assert [which(), which(), which()] == ["new"] * 3


def test_the_last_event_of_a_cache_channel_may_fail_at_once(clock):
    channel = "private-encrypted-cache-a"
    assert [which(channel), which(channel), which(channel)] == ["new", "old", "old"]


def test_each_connection_and_channel_is_asked_for_itself(clock):
    which()
    clock.now += 5
    assert which(socket_id="3.4") == which("private-encrypted-b") == "new"


def test_a_cache_that_fails_means_the_current_key(settings, clock, caplog):
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.Broken"}}
    assert [which(), which()] == ["new", "new"]
    assert "ConnectionError" in caplog.text


class Broken(BaseCache):
    def __init__(self, location, params):
        super().__init__(params)

    def get(self, key, default=None, version=None):
        raise ConnectionError


def test_no_key_is_an_error_that_says_how_to_make_one(settings):
    settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = None
    with pytest.raises(DeclarationError, match="openssl rand -base64 32"):
        secret_for("1.2", CHANNEL)


@pytest.mark.parametrize("key", ["short", base64.b64encode(b"x" * 31).decode(), "é" * 44])
def test_a_key_that_is_none_is_an_error_that_does_not_show_it(settings, key):
    settings.PUSHER_ENCRYPTION_OLDER_MASTER_KEY_BASE64 = key
    with pytest.raises(SettingError) as error:
        app_settings.PUSHER_ENCRYPTION_OLDER_MASTER_KEY_BASE64  # noqa: B018
    assert key not in str(error.value)
