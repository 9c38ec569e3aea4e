"""Who may use the console, by where a request comes from and what it brings."""

from __future__ import annotations

import pytest

from pusher_dev_server.console.access import (
    Caller,
    Denied,
    check_page,
    check_place,
    check_token,
)

TOKEN = "0123456789abcdef"
HERE = {
    "server": "127.0.0.1",
    "client": "127.0.0.1",
    "host": "127.0.0.1:6001",
    "origin": None,
    "site": None,
    "is_forwarded": False,
}


def caller(**changes):
    return Caller(**HERE | changes)


class TestWithoutToken:
    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"host": "localhost:6001"},
            {"server": "::1", "client": "::1", "host": "[::1]:6001"},
            {"server": "::ffff:127.0.0.1", "client": "::ffff:127.0.0.1"},
            {"origin": "http://127.0.0.1:6001", "site": "same-origin"},
        ],
    )
    def test_this_machine_is_let_in(self, changes):
        check_place(caller(**changes), None)
        check_page(caller(**changes))

    @pytest.mark.parametrize(
        "changes",
        [
            {"server": "192.168.0.7"},
            {"client": "192.168.0.7"},
            {"client": "::ffff:192.168.0.7"},
            {"client": None},
            {"server": None},
            {"is_forwarded": True},
            {"host": "rebound.example:6001"},
            {"host": "127.0.0.1.rebound.example"},
            {"host": "localhost@rebound.example"},
            {"host": "[::1"},
            {"host": ""},
        ],
    )
    def test_others_are_not_even_shown_the_page(self, changes):
        with pytest.raises(Denied) as denied:
            check_place(caller(**changes), None)
        assert denied.value.status == 403

    @pytest.mark.parametrize(
        "changes",
        [
            {"origin": "http://other.example"},
            {"origin": "http://127.0.0.1:8000"},
            {"origin": "null"},
            {"origin": "http://[::1"},
            {"origin": "http://[no.address]"},
            {"site": "cross-site"},
            {"site": "same-site"},
        ],
    )
    def test_pages_of_other_sites_are_given_nothing(self, changes):
        with pytest.raises(Denied, match="other sites"):
            check_page(caller(**changes))


class TestWithToken:
    AWAY = {"server": "10.0.0.1", "client": "10.0.0.9", "host": "pusher.internal"}

    def test_the_page_is_shown_anywhere_and_data_to_whoever_brings_the_token(self):
        check_place(caller(**self.AWAY), TOKEN)
        check_token(TOKEN, TOKEN)

    @pytest.mark.parametrize(
        "given", ["", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "\xe9", "\ud800"]
    )
    def test_data_needs_exactly_the_token(self, given):
        with pytest.raises(Denied) as denied:
            check_token(given, TOKEN)
        assert denied.value.status == 401
