"""The web server of every profile: threads, limits, TLS or loopback only.

Cheroot gives a thread to each connection before it has sent anything, and shakes hands
in the thread that accepts. Here both wait on the porch (`shared/web/porch.py`): a
thread serves requests that have come completely, and no others.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import re
import ssl
import sys
import threading
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from socket import SO_SNDBUF, SOL_SOCKET
from socket import socket as Socket  # noqa: N812 - `socket` is a field's name here
from typing import Any, Final

from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server
from flask import Flask
from typing_extensions import override

from shared.frames import log_place
from shared.web.porch import Porch
from shared.web.receiving import Bounds, Inbox, Outbox
from shared.web.settings import LARGEST_BODY
from shared.web.sources import Networks, is_in, source_of

LOG: Final = logging.getLogger("letterlock.web")
THREADS: Final = 16
WAITING: Final = 128  # connections not yet accepted; requests complete, not yet served
PATIENCE: Final = 10  # seconds a client may be silent between requests
FAREWELL: Final = 5  # seconds for running requests to finish at stop
KEPT: Final = 64  # connections kept open between requests
TAKEN: Final = 256 * 1024  # bytes of an answer the kernel takes from a thread at once
_ERRNO: Final = re.compile(r"\[Errno (\d+)\]")
ROOM: Final = 4  # times what the app allows: up to here the app itself answers 413


class WouldBeReadable(Exception):
    """Asked to listen beyond this machine without certificate and key."""


class WebServer:
    """Serves one app on one address until it is stopped."""

    def __init__(
        self,
        app: Flask,
        host: str,
        port: int,
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        trusted: Networks = (),
        bounds: Bounds | None = None,
    ) -> None:
        """Prepare to serve; port 0 takes a free one. Nothing is opened yet.

        `trusted` is where proxies of ours are: one of them may keep as many connections
        waiting as there is room for. `bounds` is for tests.

        Raises:
            WouldBeReadable: `host` is not loopback, and certificate or key is missing.
        """
        secured = certificate is not None and key is not None
        if not secured and not is_loopback(host):
            message = (
                f"refusing to listen on {host} in plain HTTP: give a certificate and "
                "its key, or listen on 127.0.0.1"
            )
            raise WouldBeReadable(message)
        self._server = _Server(
            (host, port),
            app,
            numthreads=THREADS,
            server_name="letterlock",
            request_queue_size=WAITING,
            timeout=PATIENCE,
            shutdown_timeout=FAREWELL,
            accepted_queue_size=WAITING,
            accepted_queue_timeout=0,
        )
        largest = ROOM * (app.config["MAX_CONTENT_LENGTH"] or LARGEST_BODY)
        self._server.bounds = replace(bounds or Bounds(), largest_body=largest)
        self._server.trusted = trusted
        self._server.max_request_header_size = self._server.bounds.longest_head
        self._server.max_request_body_size = largest
        self._server.keep_alive_conn_limit = KEPT
        if secured:
            self._server.ssl_adapter = _tls(certificate, key)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Return the port listened on, once started."""
        return int(self._server.bind_addr[1])

    def start(self) -> None:
        """Listen, then serve in the background; returns when connections are taken.

        Raises:
            OSError: it cannot listen there; `errno` says why.
        """
        try:
            self._server.prepare()
        except OSError as error:
            raise _numbered(error) from error
        self._server.open_porch()
        self._thread = threading.Thread(target=self._server.serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, let running ones finish, close."""
        self._server.close_porch()
        self._server.stop()
        if self._thread:
            self._thread.join(2 * FAREWELL)


class _Headers(HeaderReader):
    """Leaves out names with underscores, which WSGI cannot tell from those with dashes.

    Cheroot's own reader for this compares text with bytes and fails.
    """

    def _allow_header(self, key_name: bytes) -> bool:
        return b"_" not in key_name


class _Request(HTTPRequest):
    """A request whose headers cannot pass for one another."""

    header_reader = _Headers()


class _Connection(HTTPConnection):
    """A connection that is read on the porch and written to with a deadline."""

    server: _Server
    socket: Socket
    rfile: Inbox
    wfile: Outbox
    RequestHandlerClass = _Request

    def __init__(self, server: _Server, sock: Socket, makefile: object = None) -> None:
        """Put boxes where Cheroot has files that wait for the socket."""
        del makefile
        sock.setsockopt(SOL_SOCKET, SO_SNDBUF, TAKEN)
        answer = server.bounds.answer

        def boxes(line: Socket, mode: str, _: int) -> Inbox | Outbox:
            return Inbox() if "r" in mode else Outbox(line, answer)

        super().__init__(server, sock, boxes)

    @property
    def inbox(self) -> Inbox:
        """Return what came and is not read yet."""
        return self.rfile

    @cached_property
    def source(self) -> str:
        """Return whose connection this is; empty for a proxy of ours."""
        peer = self.remote_addr or ""
        return "" if is_in(peer, self.server.trusted) else source_of(peer)

    @override
    def communicate(self) -> Any:  # as Cheroot has it
        self.server.porch.read(self)
        self.wfile.begin()
        return super().communicate()  # type: ignore[no-untyped-call]  # their stub

    @override
    def close(self) -> None:
        self.server.porch.read(self)
        super().close()


class _Server(Server):
    """Cheroot with a porch, logging on one line and without values."""

    bounds: Bounds
    trusted: Networks
    porch: Porch[_Connection]
    ConnectionClass = _Connection

    def open_porch(self) -> None:
        """Begin to receive what connections send."""
        self.porch = Porch(super().process_conn, self.bounds)
        self.porch.start()

    def close_porch(self) -> None:
        """Drop who has not sent all of a request."""
        if self.ready:
            self.porch.stop()

    @override
    def process_conn(self, conn: _Connection) -> None:
        self.porch.take(conn)

    @override
    def error_log(
        self, msg: str = "", level: int = logging.INFO, traceback: bool = False
    ) -> None:
        error = sys.exc_info()[1] if traceback else None
        if error is not None:  # whose text `msg` may quote
            log_place(LOG, "server", error)
        else:
            LOG.log(level, "server %s", json.dumps(msg.partition("\n")[0]))


class _Adapter(BuiltinSSLAdapter):
    """TLS whose handshake is not waited for where connections are accepted."""

    @override
    def wrap(self, sock: Socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        line = self.context.wrap_socket(
            sock, server_side=True, do_handshake_on_connect=False
        )
        return line, {"wsgi.url_scheme": "https", "HTTPS": "on"}


def _numbered(error: OSError) -> OSError:
    """Give an error its number back, which Cheroot keeps in the text alone."""
    found = _ERRNO.search(str(error))
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else error


def is_loopback(host: str) -> bool:
    """Say whether `host` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tls(certificate: Path | None, key: Path | None) -> _Adapter:
    adapter = _Adapter(str(certificate), str(key))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(str(certificate), str(key))
    adapter.context = context
    return adapter
