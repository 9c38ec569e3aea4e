from __future__ import annotations

from pusher_dev_server.activity import Activity, Kind, format_line


def line(**details: str) -> str:
    return format_line(Activity(kind=Kind.CLIENT_EVENT, app_id="1", **details))


def test_a_line_has_what_is_known():
    assert line(channel="private-a", event="client-x", data='{"é":1}', user_id="7") == (
        '[1] client event private-a client-x {"é":1} user=7'
    )


def test_a_client_cannot_steer_the_terminal():
    assert line(data="\x1b[2J\r\nfake\u202e\ud800") == (
        r"[1] client event \x1b[2J\r\nfake\u202e\ud800"
    )


def test_long_data_is_cut():
    assert line(data="x" * 10_000).endswith("x… (10000 characters)")
