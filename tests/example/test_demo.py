"""The demo in a terminal."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import urllib.error

import pytest

from tests.example.running import COMMAND, ENVIRONMENT, Demo

pytest.importorskip("uvicorn", reason="the extra [server] is not installed")


def run(*arguments, **environment):
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        env={**ENVIRONMENT, **environment},
    )


class TestOnce:
    def test_shows_the_three_events_and_succeeds(self):
        demo = run("--once")
        assert demo.returncode == 0, demo.stderr
        events = re.findall(r"(card\.\w+)  (\{.*\})", demo.stdout)
        assert [name for name, _ in events] == ["card.create", "card.update", "card.delete"]
        titles = [json.loads(data)["title"] for _, data in events]
        assert titles == ["Say hello", "Say hello to everyone", "Say hello to everyone"]
        assert demo.stderr == ""

    def test_fails_and_names_the_events_that_do_not_arrive(self):
        demo = run("--once", "--timeout", "0.5", DRF_MODEL_PUSHER_DISABLED="1")
        assert demo.returncode == 1
        assert "card.create, card.update, card.delete" in demo.stderr
        assert "card." not in demo.stdout

    def test_fails_at_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            demo = run("--once", "--port", port)
        assert demo.returncode == 1
        assert f"Port {port} is taken." in demo.stderr
        assert "Traceback" not in demo.stderr


def test_no_system_check_has_anything_to_say():
    command = [*COMMAND[:-1], "check", "--fail-level", "WARNING"]
    checked = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert checked.returncode == 0, checked.stderr


class TestDemo:
    def test_serves_the_page_and_prints_events(self, tmp_path):
        with Demo(tmp_path) as demo:
            mira = demo.enter("mira")
            assert "Task board" in mira.page
            assert "not-a-secret" not in mira.page
            mira.call("api/cards/", json.dumps({"list": 1, "title": "Grüße \x1b[2J"}).encode())
            data = json.loads(demo.wait_for_line(r"card\.create  (\{.*\})")[1])
            assert data["title"] == "Grüße \x1b[2J"
            assert data["version"] == 1

    def test_ends_cleanly(self, tmp_path):
        with Demo(tmp_path) as demo:
            assert demo.end() == 0

    def test_keeps_the_board(self, tmp_path):
        with Demo(tmp_path) as demo:
            card = demo.enter("mira").call("api/cards/", b'{"list": 1, "title": "Kept"}')
        with Demo(tmp_path) as demo:
            assert card in demo.enter("jonas").call("api/cards/?board=1")

    @pytest.mark.parametrize("position", ["1e999", "NaN", "-1e13"])
    def test_refuses_a_position_that_no_browser_could_read(self, tmp_path, position):
        with Demo(tmp_path) as demo:
            body = f'{{"list": 1, "title": "Far out", "position": {position}}}'
            with pytest.raises(urllib.error.HTTPError, match="400") as error:
                demo.enter("mira").call("api/cards/", body.encode())
            error.value.close()

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("api/boards/1/", None, 403),
            ("api/cards/1/", None, 404),
            ("api/cards/", b'{"list": 1, "title": "Mine"}', 400),
            ("pusher/auth", b'{"socket_id": "1.2", "channel_name": "private-boards.1"}', 403),
            ("pusher/auth", b'{"socket_id": "1.2", "channel_name": "presence-boards.1"}', 403),
        ],
    )
    def test_gives_nothing_to_who_is_not_on_the_board(self, tmp_path, path, body, status):
        with Demo(tmp_path) as demo:
            alma = demo.enter("alma")
            with pytest.raises(urllib.error.HTTPError, match=str(status)) as error:
                alma.call(path, body)
            error.value.close()
            assert alma.call("api/cards/") == alma.call("api/lists/?board=1") == []
