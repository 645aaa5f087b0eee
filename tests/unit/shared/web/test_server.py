"""The server keeps to this machine unless it can encrypt, and stops in good order."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.web.server import WebServer, WouldBeReadable, is_loopback
from tests.unit.shared.web.gallery import gallery
from tests.waiting import LONG

OPENSSL = "/usr/bin/openssl"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    running = WebServer(gallery("portal", tmp_path), "127.0.0.1", 0)
    running.start()
    yield running
    running.stop()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])  # noqa: S104
def test_plain_http_beyond_this_machine_is_refused(host: str, tmp_path: Path) -> None:
    app = gallery("portal", tmp_path)
    for half in ({}, {"certificate": tmp_path}, {"key": tmp_path}):
        with pytest.raises(WouldBeReadable, match="certificate"):
            WebServer(app, host, 0, **half)


def test_loopback_has_three_spellings() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "::1", "localhost"]))


def test_pages_are_served_without_naming_the_software(server: WebServer) -> None:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONG)
    with closing(line):
        line.request("GET", "/healthz", headers={"Host": "127.0.0.1:8400"})
        answer = line.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok\n")
    assert answer.headers["Server"] == "letterlock"


def test_headers_without_end_are_refused(server: WebServer) -> None:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONG)
    with closing(line):
        line.request("GET", "/healthz", headers={"X-Long": "x" * 20_000})
        assert line.getresponse().status == 413


def test_after_stop_nothing_listens(tmp_path: Path) -> None:
    running = WebServer(gallery("portal", tmp_path), "127.0.0.1", 0)
    running.start()
    port = running.port
    running.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=LONG)


def test_with_certificate_it_speaks_modern_tls_only(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(
        [
            *(OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    app = gallery("portal", tmp_path, tls=True)
    running = WebServer(app, "127.0.0.1", 0, certificate=certificate, key=key)
    running.start()
    trust = ssl.create_default_context(cafile=certificate)
    line = http.client.HTTPSConnection(
        "127.0.0.1", running.port, context=trust, timeout=LONG
    )
    line.request("GET", "/healthz", headers={"Host": "portal.test"})
    assert line.getresponse().headers["Strict-Transport-Security"]
    assert running._server.ssl_adapter.context.minimum_version >= ssl.TLSVersion.TLSv1_2
    line.close()
    running.stop()
