"""The log, which clients who are nobody cannot flood."""

from __future__ import annotations

import logging
import socket

import pytest

from dev_server_tests.client import Client
from dev_server_tests.raw import frame, handshake
from pusher_dev_server import log
from pusher_dev_server.log import INTERVAL, Throttle, logger


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test turns."""
    time = [1_000.0]
    monkeypatch.setattr(log.throttle, "_clock", lambda: time[0])
    return time


def test_a_kind_of_line_is_written_once_in_a_minute_and_then_counted(caplog, clock):
    for number in range(1_000):
        logger.warning("refused client=%d", number)
    assert caplog.messages == ["refused client=0"]
    clock[0] += INTERVAL
    log.throttle.flush()
    assert caplog.messages[1:] == ["refused client=0 (and 999 more like this)"]
    logger.warning("refused client=%d", 7)
    assert caplog.messages[2:] == ["refused client=7"]


def test_lines_of_other_kinds_are_written_meanwhile(caplog):
    logger.warning("one")
    logger.error("two")
    assert caplog.messages == ["one", "two"]


def test_a_line_that_came_once_is_not_counted(caplog, clock):
    logger.warning("once")
    clock[0] += INTERVAL
    log.throttle.flush()
    assert caplog.messages == ["once"]


def test_a_flood_of_bad_requests_is_one_line(server, caplog):
    for _ in range(50):
        with socket.create_connection((server.host, server.port), 5) as raw:
            raw.sendall(b"no HTTP at all\r\n\r\n")
            raw.recv(1_000)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_invalid_utf8_in_a_text_message_is_one_line_without_a_traceback(server, caplog):
    for _ in range(20):
        with socket.create_connection((server.host, server.port), 5) as raw:
            raw.sendall(handshake(server.ws_url))
            read = b""
            while not read.endswith(b"}"):
                read += raw.recv(65_536)
            raw.sendall(frame(0x81, b"\xff\xfe"))
            while raw.recv(65_536):
                pass
    (record,) = caplog.records
    assert "UTF-8" in record.getMessage()
    assert record.exc_info is None
    with Client(server) as other:
        other.subscribe("pub")


def test_two_throttles_know_nothing_of_each_other():
    record = logging.makeLogRecord({"msg": "m"})
    assert Throttle().filter(record)
    assert Throttle().filter(record)
