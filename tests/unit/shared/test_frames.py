"""What a log says of an error: where it came from, never what its text holds."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask, Response

from services.embedded import Timer
from shared.frames import frames_of
from shared.web.porch import Porch
from shared.web.receiving import Bounds, Inbox
from shared.web.server import WebServer
from tests.waiting import until

CANARY = "Zaverdine-Oslund"


def fail() -> int:
    """Fail as libraries do: the text of the error quotes what was given."""
    return int(CANARY)


def told(caplog: pytest.LogCaptureFixture) -> str:
    """Return all that was logged, formatted as it would be written."""
    return caplog.text + "".join(repr(vars(record)) for record in caplog.records)


def assert_place_alone(caplog: pytest.LogCaptureFixture) -> None:
    until(lambda: "ValueError" in caplog.text, "the line of the log")
    assert f"at {Path(__file__).name}:" in caplog.text
    assert CANARY not in told(caplog)
    assert "Traceback" not in caplog.text


def test_frames_name_the_place_innermost_first() -> None:
    with pytest.raises(ValueError, match=CANARY) as failed:
        fail()
    first, *others = frames_of(failed.value).split(" < ")
    assert first.startswith("test_frames.py:")
    assert len(others) == 1
    assert CANARY not in frames_of(failed.value)
    assert frames_of(ValueError(CANARY)) == ""


def test_work_that_fails_says_where_and_is_taken_up_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    again = threading.Event()

    def work() -> int:
        if len(caplog.records) > 1:
            again.set()
        return fail()

    timer = Timer(work, timedelta(milliseconds=5))
    timer.start()
    try:
        assert again.wait(20)
    finally:
        timer.stop()
    assert_place_alone(caplog)


class Guest:
    """A connection whose bytes cannot be kept."""

    source = ""

    def __init__(self, line: socket.socket) -> None:
        """Come by `line`."""
        self.socket = line
        self.closed = threading.Event()

    @property
    def inbox(self) -> Inbox:
        """Return where its bytes are put; fails once some are to be put there."""
        return Broken()

    def close(self) -> None:
        """End it."""
        self.socket.close()
        self.closed.set()


class Broken(Inbox):
    """Takes nothing."""

    def add(self, data: bytes) -> None:
        """Fail."""
        del data
        fail()


def test_a_connection_that_cannot_be_received_is_dropped_and_named_by_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    porch: Porch[Guest] = Porch(lambda _: None, Bounds())
    porch.start()
    ours, theirs = socket.socketpair()
    with closing(theirs):
        guest = Guest(ours)
        theirs.sendall(b"GET / HTTP/1.1\r\n")
        porch.take(guest)
        assert guest.closed.wait(20)
        porch.stop()
    assert_place_alone(caplog)


def test_a_page_that_fails_half_way_is_named_by_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    app = Flask("halves")
    app.config["MAX_CONTENT_LENGTH"] = 1024

    @app.get("/")
    def half() -> Response:
        return Response(f"{fail()}" if number else "x" for number in range(2))

    server = WebServer(app, "127.0.0.1", 0)
    server.start()
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    with closing(line), suppress(http.client.HTTPException):
        line.request("GET", "/")
        line.getresponse().read()
    server.stop()
    assert_place_alone(caplog)
