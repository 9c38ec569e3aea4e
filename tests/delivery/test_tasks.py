"""Delivery by Django Tasks and by Celery, as far as it shows without a worker."""

import subprocess
import sys
import time
from dataclasses import replace

import pytest
from django.db import transaction

from drf_model_pusher.changes.block import record
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.delivery.jobs import hand_over, work, write_message
from drf_model_pusher.delivery.queue import QueuedEvent
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import ProviderError, SettingError
from drf_model_pusher.providers import MemoryProvider, provider_path
from tests.pusher_api import Answer


def event(n=0):
    return PusherEvent(channels=("orders",), name=f"e{n}", data="{}")


@pytest.fixture
def celery(settings):
    settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.CeleryDelivery"
    return pytest.importorskip("celery", reason="Celery is not installed")


@pytest.mark.django_db(transaction=True)
class TestTaskDelivery:
    @pytest.fixture(autouse=True)
    def _delivery(self, settings):
        settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.TaskDelivery"

    def test_a_transaction_is_one_task_with_arguments_that_json_knows(self, use_task_backend):
        backend = use_task_backend("Dummy")
        with transaction.atomic():
            record([event(0)], "default")
            record([event(1)], "default")
            assert backend.results == []
        (result,) = backend.results
        assert result.task.module_path == "drf_model_pusher.delivery.tasks.send_events"
        assert [each["name"] for each in result.args[0]["events"]] == ["e0", "e1"]

    def test_an_immediate_backend_sends_in_the_request(self, use_task_backend, pusher_api):
        use_task_backend("Immediate")
        record([event(0)], "default")
        assert [each["name"] for each in pusher_api.events] == ["e0"]

    def test_with_a_backend_that_cannot_wait_a_failure_is_final(
        self, use_task_backend, pusher_api, reports
    ):
        use_task_backend("Immediate")
        pusher_api.script.append(Answer(status=503))
        record([event(0)], "default")
        assert [(name, error.status) for name, _, error in reports.failed] == [("e0", 503)]

    def test_what_is_left_is_enqueued_for_later(self, use_task_backend, pusher_api):
        from drf_model_pusher.delivery.tasks import send_events

        backend = use_task_backend("Dummy")
        pusher_api.script.extend([Answer(), Answer(status=429, headers={"Retry-After": "60"})])
        get_delivery().send([event(n) for n in range(12)])
        send_events.call(*backend.results[0].args)
        again = backend.results[1]
        assert [each["name"] for each in again.args[0]["events"]] == ["e10", "e11"]
        assert again.args[0]["events"][0]["attempts"] == 1
        assert again.task.run_after.timestamp() > time.time() + 50

    def test_a_queue_that_does_not_exist_fails_the_events_and_nothing_else(
        self, use_task_backend, settings, reports
    ):
        use_task_backend("Dummy")
        get_delivery()
        settings.DRF_MODEL_PUSHER_TASK_QUEUE = "nowhere"
        record([event(0)], "default")
        assert [(name, str(error)) for name, _, error in reports.failed] == [
            ("e0", "the queue took no task")
        ]


class TestCeleryDelivery:
    @pytest.mark.parametrize("propagates", [False, True])
    def test_an_eager_app_sends_in_the_request_and_tries_once(
        self, celery, pusher_api, reports, propagates
    ):
        app = celery.Celery("eager", set_as_current=True)
        app.conf.update(task_always_eager=True, task_eager_propagates=propagates)
        pusher_api.script.extend([Answer(), Answer(status=503)])
        get_delivery().send([event(0)])
        get_delivery().send([event(1)])
        app.close()
        assert [each["name"] for each in pusher_api.events] == ["e0"]
        assert [(name, error.status) for name, _, error in reports.failed] == [("e1", 503)]

    def test_its_task_has_a_name_that_stays(self, celery):
        from drf_model_pusher.delivery.celery import send_events

        assert send_events.name == "drf_model_pusher.send_events"


class TestJobs:
    def test_why_no_message_can_be_made_is_said(self, reports, caplog):
        class Inside(MemoryProvider):
            pass

        hand_over([replace(event(0), provider=provider_path(Inside))], lambda message: None)
        assert [name for name, _, _ in reports.failed] == ["e0"]
        assert "Inside stands inside a function" in caplog.text

    def test_what_is_older_than_the_patience_is_given_up(self, pusher_api, reports, settings):
        settings.DRF_MODEL_PUSHER_RETRY_SECONDS = 60
        pusher_api.script.extend([Answer(status=503)] * 2)
        entries = [QueuedEvent(event=event(0), since=0)]
        young = write_message(entries, since=time.time() - 30, tries=4)
        assert work(young, may_wait=True).message["tries"] == 5
        assert reports.failed == []
        with pytest.raises(ProviderError, match="503"):
            work(write_message(entries, since=time.time() - 90), may_wait=True)
        assert [name for name, _, _ in reports.failed] == ["e0"]


def run(program):
    code = f"from django.conf import settings; settings.configure(); {program}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


class TestAbsence:
    def test_nothing_of_it_is_imported_before_it_is_asked_for(self):
        program = (
            "import sys; import drf_model_pusher.delivery, drf_model_pusher.tasks; "
            "print({'celery', 'kombu', 'django.tasks', 'django_tasks'} & set(sys.modules))"
        )
        assert run(program).stdout == "set()\n"

    @pytest.mark.parametrize(
        ("name", "absent", "extra"),
        [
            ("CeleryDelivery", ["celery"], "celery"),
            ("TaskDelivery", ["django.tasks", "django_tasks"], "tasks"),
        ],
    )
    def test_what_to_install_is_said(self, name, absent, extra):
        program = (
            f"import sys; sys.modules.update(dict.fromkeys({absent})); "
            f"from drf_model_pusher.delivery import {name}"
        )
        assert f'pip install --pre "drf-model-pusher[{extra}]"' in run(program).stderr

    def test_a_process_that_lacks_it_is_told_by_the_settings_error(self, settings, monkeypatch):
        monkeypatch.setitem(sys.modules, "celery", None)
        monkeypatch.delitem(sys.modules, "drf_model_pusher.delivery.celery", raising=False)
        settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.CeleryDelivery"
        monkeypatch.setattr("drf_model_pusher.delivery.base._instances", {})
        with pytest.raises(SettingError, match=r"pip install .*\[celery\]"):
            get_delivery()
