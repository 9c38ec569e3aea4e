"""The one delivery that a process keeps."""

import os
import threading
import time

import pytest

from drf_model_pusher.delivery import InlineDelivery, base, get_delivery
from drf_model_pusher.exceptions import SettingError


class SlowToMake(InlineDelivery):
    made = 0
    wait = threading.Event()

    def __init__(self):
        self.wait.wait(0.05)
        type(self).made += 1


@pytest.fixture
def slow(settings, monkeypatch):
    monkeypatch.setattr(base, "_instances", {})
    monkeypatch.setattr(SlowToMake, "made", 0)
    settings.DRF_MODEL_PUSHER_DELIVERY = f"{__name__}.SlowToMake"


def test_is_made_once_by_many_threads(slow):
    found = []
    threads = [threading.Thread(target=lambda: found.append(get_delivery())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (SlowToMake.made, len(set(found)), len(found)) == (1, 1, 8)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_is_made_in_a_child_that_was_forked_while_another_thread_made_one(slow):
    held, done = threading.Event(), threading.Event()

    def hold():
        with base._lock:
            held.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    child = os.fork()
    if child == 0:
        get_delivery()
        os._exit(0)
    deadline = time.monotonic() + 10
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    if ended[0] == 0:
        os.kill(child, 9)
        os.waitpid(child, 0)
    done.set()
    thread.join()
    assert ended == (child, 0)


@pytest.mark.parametrize("path", ["nowhere.Nothing", "nodots", "decimal.Decimal"])
def test_a_path_to_none_is_the_error_of_its_setting(settings, path):
    settings.DRF_MODEL_PUSHER_DELIVERY = path
    with pytest.raises(SettingError, match="DRF_MODEL_PUSHER_DELIVERY"):
        get_delivery()
