"""Whoever sends or reads slowly waits outside: the others are answered."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import pytest
from flask import Flask, request

from shared.web.receiving import Bounds
from shared.web.server import THREADS, WebServer
from shared.web.sources import Networks
from tests.waiting import AT_ONCE, LONG, until

HOLDERS = int(os.environ.get("LETTERLOCK_SLOW_CLIENTS", "40"))
PROMPTLY = AT_ONCE  # far above what an answer takes, far below waiting for one's turn
PATIENT = Bounds(head=LONG, body=LONG, answer=LONG)
ROOM = replace(PATIENT, of_one_source=2 * HOLDERS, guests=3 * HOLDERS)
HEAD = b"POST /length HTTP/1.1\r\nHost: x\r\n"
FULL = HEAD + b"Content-Length: 5\r\n\r\n12345"
SMALL = 64 * 1024  # bytes a reader that does not read takes in


def app_of_sizes() -> Flask:
    app = Flask("sizes")
    app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024
    app.add_url_rule("/", "here", view_func=lambda: "here")
    app.add_url_rule("/large", "large", view_func=lambda: "x" * 150_000)
    app.add_url_rule("/endless", "endless", view_func=lambda: "x" * 20_000_000)
    app.add_url_rule(
        "/length",
        "length",
        view_func=lambda: str(len(request.get_data())),
        methods=["POST"],
    )
    return app


@contextmanager
def serving(
    bounds: Bounds, *, trusted: Networks = (), tls: tuple[Path, Path] | None = None
) -> Iterator[WebServer]:
    certificate, key = tls or (None, None)
    server = WebServer(
        app_of_sizes(),
        "127.0.0.1",
        0,
        certificate=certificate,
        key=key,
        trusted=trusted,
        bounds=bounds,
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


def line_to(server: WebServer, sent: bytes = b"") -> socket.socket:
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    line.settimeout(PROMPTLY)
    line.connect(("127.0.0.1", server.port))
    line.sendall(sent)
    return line


def answered(server: WebServer) -> str:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PROMPTLY)
    with closing(line):
        line.request("GET", "/", headers={"Host": "x"})
        return line.getresponse().read().decode()


def is_answered(server: WebServer) -> bool:
    try:
        return answered(server) == "here"
    except (http.client.HTTPException, ConnectionError):
        return False  # this one, too, was not taken in time


def all_from(line: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    found = b""
    try:
        while data := line.recv(65_536):
            found += data
    except ConnectionError:
        pass
    return found


@pytest.mark.parametrize(
    "sent",
    [b"", HEAD, HEAD + b"Content-Length: 5\r\n\r\n123", b"GET /large HTTP/1.1\r\n\r\n"],
    ids=["silent", "half a head", "half a body", "not reading"],
)
def test_more_slow_clients_than_threads_hold_up_nobody(sent: bytes) -> None:
    assert HOLDERS > 2 * THREADS
    with ExitStack() as stack:
        server = stack.enter_context(serving(ROOM))
        for _ in range(HOLDERS):
            stack.enter_context(closing(line_to(server, sent)))
        assert answered(server) == "here"


def test_clients_that_never_shake_hands_hold_up_nobody(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(
        [
            *("/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    with ExitStack() as stack:
        server = stack.enter_context(serving(ROOM, tls=(certificate, key)))
        for _ in range(HOLDERS):
            stack.enter_context(closing(line_to(server)))
        trust = ssl.create_default_context(cafile=certificate)
        line = http.client.HTTPSConnection(
            "127.0.0.1", server.port, context=trust, timeout=PROMPTLY
        )
        with closing(line):
            line.request("POST", "/length", b"x" * 100_000, {"Host": "x"})
            assert line.getresponse().read() == b"100000"


@pytest.mark.parametrize(
    "begun", [HEAD, HEAD + b"Content-Length: 100000\r\n\r\n"], ids=["head", "body"]
)
def test_dripping_does_not_move_the_deadline(begun: bytes) -> None:
    bounds = Bounds(head=0.5, body=0.5)
    with serving(bounds) as server, closing(line_to(server, begun)) as line:
        line.settimeout(0.1)
        found = b""
        for _ in range(200):
            try:
                line.sendall(b"x")
                found = line.recv(1000)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            break
        else:
            pytest.fail("20 s of dripping were borne")
        assert found == b"" or found.startswith(b"HTTP/1.1 408 ")


def test_an_answer_nobody_takes_frees_its_thread() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serving(Bounds(answer=0.5)))
        for _ in range(THREADS):
            wanted = b"GET /endless HTTP/1.1\r\n\r\n"
            stack.enter_context(closing(line_to(server, wanted)))
        until(partial(is_answered, server), "an answer")


def test_one_source_has_its_share_and_its_oldest_goes() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serving(replace(PATIENT, of_one_source=3)))
        lines = [stack.enter_context(closing(line_to(server, HEAD))) for _ in range(4)]
        assert all_from(lines[0]) == b""
        lines[3].sendall(b"Connection: close\r\nContent-Length: 5\r\n\r\n12345")
        assert all_from(lines[3]).endswith(b"\r\n\r\n5")


def test_a_proxy_of_ours_comes_for_many_until_all_room_is_gone() -> None:
    ours = (ip_network("127.0.0.0/8"),)
    with ExitStack() as stack:
        bounds = replace(PATIENT, of_one_source=1, guests=3)
        server = stack.enter_context(serving(bounds, trusted=ours))
        lines = [stack.enter_context(closing(line_to(server, HEAD))) for _ in range(4)]
        assert all_from(lines[0]) == b""
        for line in lines[1:]:
            line.sendall(b"Connection: close\r\nContent-Length: 5\r\n\r\n12345")
            assert all_from(line).endswith(b"\r\n\r\n5")


def test_bytes_that_lie_about_are_bounded() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serving(replace(PATIENT, held=50_000)))
        part = HEAD + b"Content-Length: 40000\r\n\r\n" + b"x" * 30_000
        first = stack.enter_context(closing(line_to(server, part)))
        second = stack.enter_context(closing(line_to(server, part)))
        assert all_from(first) == b""
        second.sendall(b"x" * 10_000)
        assert second.recv(15).startswith(b"HTTP/1.1 200 OK")


def test_requests_sent_in_one_go_are_each_answered() -> None:
    last = FULL.replace(b"Host: x", b"Host: x\r\nConnection: close")
    with serving(PATIENT) as server, closing(line_to(server, FULL + last)) as line:
        assert all_from(line).count(b"\r\n\r\n5") == 2


def test_a_request_in_crumbs_arrives_whole() -> None:
    last = FULL.replace(b"Host: x", b"Host: x\r\nConnection: close")
    with serving(PATIENT) as server, closing(line_to(server)) as line:
        for number in range(0, len(last), 7):
            line.sendall(last[number : number + 7])
        assert all_from(line).endswith(b"\r\n\r\n5")


def test_a_chunked_body_is_not_taken() -> None:
    sent = HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    with serving(PATIENT) as server, closing(line_to(server, sent)) as line:
        assert all_from(line).startswith(b"HTTP/1.1 411 ")


def test_a_body_beyond_all_bounds_is_refused_before_it_comes() -> None:
    sent = HEAD + b"Content-Length: 99999999\r\n\r\n"
    with serving(PATIENT) as server, closing(line_to(server, sent)) as line:
        assert all_from(line).startswith(b"HTTP/1.1 413 ")
