import sys
from types import SimpleNamespace

import pytest
from django.core.checks import run_checks

from drf_model_pusher.checks.deliveries import check_tasks, check_threads


def ids(messages):
    return [message.id.removeprefix("drf_model_pusher.") for message in messages]


class TestThreads:
    @pytest.mark.parametrize(
        ("has_threads", "warned"), [(0, ["W003"]), (1, [])], ids=["without", "with"]
    )
    def test_uwsgi_without_threads_is_a_warning(self, monkeypatch, settings, has_threads, warned):
        monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(has_threads=has_threads))
        del settings.DRF_MODEL_PUSHER_DELIVERY
        assert ids(check_threads()) == warned

    @pytest.mark.parametrize("path", ["drf_model_pusher.delivery.InlineDelivery", "nowhere.X"])
    def test_a_delivery_without_a_thread_needs_none(self, monkeypatch, settings, path):
        monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(has_threads=0))
        settings.DRF_MODEL_PUSHER_DELIVERY = path
        assert check_threads() == []

    def test_other_servers_are_fine(self):
        assert check_threads() == []


class TestTasks:
    @pytest.fixture(autouse=True)
    def _delivery(self, settings):
        settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.TaskDelivery"

    @pytest.mark.parametrize(
        ("kind", "harm"), [("Immediate", "wait for Pusher"), ("Dummy", "nothing is sent")]
    )
    def test_a_backend_without_a_worker_is_a_warning(self, use_task_backend, kind, harm):
        use_task_backend(kind)
        (warning,) = [each for each in run_checks() if each.id == "drf_model_pusher.W005"]
        assert f"{kind}Backend" in warning.msg
        assert harm in warning.msg

    def test_a_backend_with_a_worker_is_fine(self, use_task_backend):
        backend = use_task_backend("Dummy")
        backend.__class__ = type("QueueBackend", type(backend).__bases__, {})
        assert check_tasks() == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("DRF_MODEL_PUSHER_DELIVERY", "drf_model_pusher.delivery.InlineDelivery"),
            ("DRF_MODEL_PUSHER_TASK_BACKEND", "nowhere"),
            ("DRF_MODEL_PUSHER_DISABLED", True),
        ],
    )
    def test_what_enqueues_nothing_is_left_alone(self, use_task_backend, settings, name, value):
        use_task_backend("Dummy")
        setattr(settings, name, value)
        assert check_tasks() == []
