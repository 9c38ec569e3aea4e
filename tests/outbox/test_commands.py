import json
import signal
import time
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from drf_model_pusher.outbox.health import measure
from drf_model_pusher.outbox.models import OutboxRow
from tests.outbox.conftest import Outbox
from tests.outbox.processes import environment, relaying
from tests.pusher_api import Answer


@pytest.fixture
def env(outbox, pusher_api, settings):
    return environment(outbox.alias, pusher_api, settings)


class TestPusherRelay:
    def test_once_sends_what_waits_and_ends(self, outbox, pusher_api, env, tmp_path):
        outbox.put(*[f"e{n}" for n in range(30)])
        with relaying("--once", "--workers", "2", env=env, log=tmp_path / "log") as process:
            code = process.wait(30)
        log = (tmp_path / "log").read_text()
        assert (code, len(pusher_api.events), outbox.names) == (0, 30, []), log
        assert "Sent 30, 0 tries failed, 0 left." in log

    def test_once_ends_with_1_if_something_failed(self, outbox, pusher_api, env, tmp_path):
        pusher_api.default = Answer(status=503)
        outbox.put("e")
        with relaying("--once", env=env, log=tmp_path / "log") as process:
            assert process.wait(30) == 1
        assert outbox.names == ["e"]

    def test_it_sends_what_is_committed_while_it_runs(self, outbox, pusher_api, env, tmp_path):
        with relaying(env=env, log=tmp_path / "log"):
            pusher_api.default = Answer(delay=0.01)
            for number in range(3):
                outbox.put(f"e{number}")
                pusher_api.wait_for_events(number + 1)
        assert "Relaying with 1 worker (Ctrl+C ends it)\n" in (tmp_path / "log").read_text()

    def test_a_first_signal_lets_the_call_end(self, outbox, pusher_api, env, tmp_path):
        pusher_api.default = Answer(delay=1)
        outbox.put(*[f"e{n}" for n in range(30)])
        with relaying(env=env, log=tmp_path / "log") as process:
            pusher_api.wait_for_calls(1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        assert (len(pusher_api.calls), len(outbox.names)) == (1, 20)

    def test_a_second_signal_ends_it_at_once(self, outbox, pusher_api, env, tmp_path):
        pusher_api.default = Answer(delay=20)
        outbox.put("e")
        with relaying(env=env, log=tmp_path / "log") as process:
            pusher_api.wait_for_calls(1)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 128 + signal.SIGTERM
        assert outbox.names == ["e"]

    def test_an_error_in_one_worker_ends_all_with_1(self, outbox, env, tmp_path):
        """A service manager starts all of them again, where a worker alone would be missed."""
        outbox.put("e")
        wrong = {
            "DRF_MODEL_PUSHER_OUTBOX_KEEP_SECONDS": "long",
            "SILENCED_SYSTEM_CHECKS": ["drf_model_pusher.E001"],
        }
        env["OUTBOX_SETTINGS"] = json.dumps(wrong)
        with relaying("--workers", "2", env=env, log=tmp_path / "log") as process:
            assert process.wait(30) == 1
        assert "SettingError" in (tmp_path / "log").read_text()

    def test_once_ends_with_1_where_it_may_not_read_and_says_so(
        self, databases, postgresql, pusher_api, settings, tmp_path
    ):
        Outbox(postgresql).put("e")
        with connections[postgresql].cursor() as cursor:
            cursor.execute("CREATE ROLE relay_without_rights LOGIN")
        try:
            env = environment(postgresql, pusher_api, settings)
            database = json.loads(env["OUTBOX_DATABASE"]) | {"USER": "relay_without_rights"}
            env["OUTBOX_DATABASE"] = json.dumps(database)
            with relaying("--once", env=env, log=tmp_path / "log") as process:
                assert process.wait(30) == 1
        finally:
            with connections[postgresql].cursor() as cursor:
                cursor.execute("DROP ROLE relay_without_rights")
        assert "permission denied for table" in (tmp_path / "log").read_text()

    def test_once_ends_with_1_where_the_schema_is_another(self, outbox, env, tmp_path):
        outbox.put("e")
        with connections[outbox.alias].schema_editor() as editor:
            editor.execute(f"ALTER TABLE {OutboxRow._meta.db_table} RENAME COLUMN lane TO lain")
        try:
            with relaying("--once", env=env, log=tmp_path / "log") as process:
                assert process.wait(30) == 1
        finally:
            with connections[outbox.alias].schema_editor() as editor:
                editor.execute(f"ALTER TABLE {OutboxRow._meta.db_table} RENAME COLUMN lain TO lane")
        assert "lane" in (tmp_path / "log").read_text()

    @pytest.mark.parametrize(
        "options", [{"workers": 0}, {"interval": 0.0}, {"database": "nowhere"}]
    )
    def test_wrong_options_are_refused(self, options):
        with pytest.raises(CommandError):
            call_command("pusher_relay", **options)


@pytest.mark.parametrize("command", ["pusher_relay", "pusher_outbox"])
def test_where_the_tables_are_missing_it_is_said_how_to_make_them(outbox, command):
    call_command("migrate", "drf_model_pusher_outbox", "zero", database=outbox.alias, verbosity=0)
    try:
        with pytest.raises(CommandError, match=f"migrate --database={outbox.alias}"):
            call_command(command, database=outbox.alias)
    finally:
        call_command("migrate", "drf_model_pusher_outbox", database=outbox.alias, verbosity=0)


class TestPusherOutbox:
    def test_it_shows_the_numbers(self, outbox, capsys):
        outbox.put("a", "b")
        call_command("pusher_outbox", database=outbox.alias)
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert lines[0] == ["waiting", "2"]
        assert [line[:-1] for line in lines[1:]] == [
            ["postponed"],
            ["dead"],
            ["oldest", "seconds"],
        ]

    def test_an_event_of_a_clock_that_is_ahead_has_no_age(self, outbox):
        outbox.put("a")
        outbox.rows.update(created=timezone.now() + timedelta(minutes=1))
        assert measure(outbox.alias).oldest_seconds == 0

    @pytest.mark.parametrize(
        ("options", "beyond"),
        [
            (["--max-waiting", "2", "--max-age", "60", "--max-dead", "0"], []),
            (["--max-waiting", "1"], ["waiting"]),
            (["--max-age", "0"], ["oldest_seconds"]),
        ],
    )
    def test_it_exits_with_1_beyond_a_threshold(self, outbox, capsys, options, beyond):
        outbox.put("a", "b")
        code = 0
        try:
            call_command("pusher_outbox", "--json", *options, database=outbox.alias)
        except SystemExit as end:
            code = end.code
        assert (code, json.loads(capsys.readouterr().out)["beyond"]) == (int(bool(beyond)), beyond)
