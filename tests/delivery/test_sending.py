"""One try: what leaves, what is refused, what is worth another."""

from asyncio import CancelledError
from types import SimpleNamespace

import pytest

from drf_model_pusher.delivery import sending
from drf_model_pusher.delivery.queue import QueuedEvent
from drf_model_pusher.delivery.sending import send_once
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import DroppedError
from drf_model_pusher.providers import BaseProvider, provider_path
from tests.pusher_api import Answer


def events(count, **fields):
    return [
        PusherEvent(**{"channels": ("orders",), "name": f"e{n}", "data": f'{{"n":{n}}}'} | fields)
        for n in range(count)
    ]


def send_batch(events):
    """Send events; return the failure, if there was one, with the events that are left."""
    entries = [QueuedEvent(event=event, since=0) for event in events]
    failure = sending.send_batch(entries)
    assert failure or not entries
    return failure and SimpleNamespace(error=failure.error, events=[e.event for e in entries])


def names(api):
    return [event["name"] for event in api.events]


class UntoldError(Exception):
    def __str__(self):
        raise LookupError("no words")


class TestAgainstTheApi:
    def test_all_is_well(self, pusher_api, reports):
        assert send_batch(events(25)) is None
        assert names(pusher_api) == [f"e{n}" for n in range(25)]
        assert len(pusher_api.calls) == 3
        assert reports.sent == [(f"e{n}", 1) for n in range(25)]

    @pytest.mark.parametrize("status", [400, 413])
    def test_a_refused_batch_goes_again_one_by_one_and_the_bad_one_fails_alone(
        self, pusher_api, reports, status
    ):
        bad = Answer(status=status, body=b"no")
        pusher_api.script.extend([bad, Answer(), Answer(), bad])  # the batch, e0, e1, e2
        assert send_batch(events(10)) is None
        assert names(pusher_api) == ["e0", "e1", *[f"e{n}" for n in range(3, 10)]]
        assert [(name, error.status) for name, _, error in reports.failed] == [("e2", status)]
        assert len(reports.sent) == 9

    @pytest.mark.parametrize("status", [401, 403])
    def test_what_will_not_get_better_is_not_retried(self, pusher_api, reports, status):
        pusher_api.script.append(Answer(status=status, body=b"no"))
        assert send_batch(events(1)) is None
        assert [(name, error.status) for name, _, error in reports.failed] == [("e0", status)]

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(status=500),
            Answer(status=503, body=b"<html>"),
            Answer(status=429),
            Answer(reset=True),
            Answer(body=b"<html>a proxy's page</html>"),
            Answer(body=b'{"error":"too many","code":429}'),
        ],
    )
    def test_what_may_get_better_leaves_the_rest_untried(self, pusher_api, reports, answer):
        pusher_api.script.extend([Answer(), answer])
        failure = send_batch(events(25))
        assert [event.name for event in failure.events] == [f"e{n}" for n in range(10, 25)]
        assert failure.error.retryable
        assert (len(reports.sent), reports.failed) == (10, [])
        assert len(pusher_api.calls) == 2

    def test_an_error_in_a_200_is_an_error(self, pusher_api, reports):
        """As soketi answers."""
        pusher_api.script.append(Answer(body=b'{"error":"bad data","code":400}'))
        assert send_batch(events(1)) is None
        assert [(name, error.status) for name, _, error in reports.failed] == [("e0", 400)]

    def test_channels_that_were_served_are_not_served_again(self, pusher_api):
        channels = tuple(f"c{n}" for n in range(250))
        pusher_api.script.extend([Answer(), Answer(status=500)])
        failure = send_batch(events(1, channels=channels))
        assert send_batch(failure.events) is None
        served = [channel for event in pusher_api.events for channel in event["channels"]]
        assert sorted(served) == sorted(channels)

    def test_wrong_credentials_fail_the_event_and_nothing_else(self, pusher_api, reports, settings):
        settings.PUSHER_SECRET = "another"
        send_once(events(1))
        assert [(name, error.status) for name, _, error in reports.failed] == [("e0", 401)]

    @pytest.mark.parametrize("wrong", [{"PUSHER_APP_ID": "my-app"}, {"PUSHER_KEY": None}])
    def test_settings_that_make_no_client_fail_the_event_and_nothing_else(
        self, settings, reports, wrong
    ):
        for name, value in wrong.items():
            setattr(settings, name, value)
        send_once(events(2))
        assert len(reports.failed) == 2

    def test_nobody_there(self, pusher_api, settings, reports):
        settings.PUSHER_PORT = 1
        send_once(events(2))
        assert [name for name, _, _ in reports.failed] == ["e0", "e1"]

    def test_errors_hold_no_key_and_no_signature(self, pusher_api, settings, reports):
        settings.PUSHER_PORT = 1
        send_once(events(1))
        assert "auth_" not in str(reports.failed[0][2])
        assert settings.PUSHER_KEY not in str(reports.failed[0][2])


class TestOtherProviders:
    def provider(self, *failures):
        script = list(failures)
        received = []

        class Own(BaseProvider):
            def trigger(self, channels, event_name, data, socket_id=None):
                if script and (failure := script.pop(0)):
                    raise failure
                received.append(event_name)

        return Own, received

    def test_a_bug_fails_its_event_alone(self, reports):
        own, received = self.provider(None, KeyError("x"), None)
        assert send_batch(events(3, provider=provider_path(own))) is None
        assert received == ["e0", "e2"]
        assert [name for name, _, _ in reports.failed] == ["e1"]

    @pytest.mark.parametrize("kind", [CancelledError, UntoldError])
    def test_an_exception_of_an_odd_kind_fails_its_events_and_nothing_else(self, reports, kind):
        class Own(BaseProvider):
            def trigger(self, *args):
                raise kind

            def send(self, events):
                raise kind

        send_once(events(2, provider=provider_path(Own)))
        assert [(name, str(error)) for name, _, error in reports.failed] == [
            ("e0", kind.__name__),
            ("e1", kind.__name__),
        ]

    def test_a_network_error_is_worth_a_retry(self, reports):
        own, received = self.provider(None, ConnectionResetError("x"))
        failure = send_batch(events(3, provider=provider_path(own)))
        assert received == ["e0"]
        assert [event.name for event in failure.events] == ["e1", "e2"]

    def test_one_that_is_down_does_not_stop_another(self, memory, reports):
        own, _ = self.provider(ConnectionResetError("x"))
        send_once([*events(1, provider=provider_path(own)), *events(1)])
        assert len(memory) == 1
        assert len(reports.failed) == 1

    def test_a_receiver_that_raises_stops_nothing(self, memory):
        from drf_model_pusher.signals import event_sent

        def receiver(**kwargs):
            raise KeyError

        event_sent.connect(receiver)
        try:
            send_once(events(2))
        finally:
            event_sent.disconnect(receiver)
        assert len(memory) == 2


class TestLog:
    def test_a_failure_is_logged_without_the_payload(self, pusher_api, caplog, reports):
        """Not even where the service repeats it."""
        body = b'over quota: {"secret":"payload"}\nevent sent name=forged'
        pusher_api.script.append(Answer(status=403, body=body))
        send_once(events(1, data='{"secret":"payload"}'))
        (record,) = [record for record in caplog.records if "event failed" in record.message]
        assert record.message.startswith("event failed name=e0 ")
        assert record.message.endswith(" error=the service answered 403")
        assert reports.failed[0][2].detail == body.decode()

    def test_nor_does_the_text_of_a_third_partys_exception_get_there(self, caplog, reports):
        class Own(BaseProvider):
            def trigger(self, channels, event_name, data, socket_id=None):
                raise KeyError(f"{data}\nevent sent name=forged" + "x" * 300)

        send_once(events(1, data='{"secret":"payload"}', provider=provider_path(Own)))
        (record,) = caplog.records
        assert record.message.endswith(" error=KeyError")
        assert "payload" in reports.failed[0][2].detail
        assert len(reports.failed[0][2].detail) == 200

    def test_drops_are_logged_once_a_minute_with_their_number(self, caplog, monkeypatch):
        from drf_model_pusher import log
        from drf_model_pusher.delivery.sending import report_dropped

        monkeypatch.setattr(log, "_drops", log._Drops())
        report_dropped(events(5), "the queue is full")
        assert [record.message for record in caplog.records] == [
            "events dropped count=1 reason=the queue is full"
        ]
        monkeypatch.setattr(log._Drops, "PERIOD", 0)
        report_dropped(events(1), "the queue is full")
        assert "count=5" in caplog.text
        assert issubclass(DroppedError, Exception)
