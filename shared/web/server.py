"""The web server of the embedded profile: threads, limits, TLS or loopback only."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import re
import ssl
import threading
from pathlib import Path
from typing import Final

from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server
from flask import Flask
from typing_extensions import override

from shared.web.settings import LARGEST_BODY

LOG: Final = logging.getLogger("letterlock.web")
THREADS: Final = 16
WAITING: Final = 128  # connections accepted but not yet served
PATIENCE: Final = 10  # seconds a client may be silent, also between requests
FAREWELL: Final = 5  # seconds for running requests to finish at stop
LONGEST_HEAD: Final = 16 * 1024  # bytes of request line and headers
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
    ) -> None:
        """Prepare to serve; port 0 takes a free one. Nothing is opened yet.

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
        )
        self._server.max_request_header_size = LONGEST_HEAD
        largest = app.config["MAX_CONTENT_LENGTH"] or LARGEST_BODY
        self._server.max_request_body_size = ROOM * largest
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
        self._thread = threading.Thread(target=self._server.serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, let running ones finish, close."""
        self._server.stop()
        if self._thread:
            self._thread.join(2 * FAREWELL)


class _Server(Server):
    """Cheroot, logging on one line and without values instead of to standard error."""

    @override
    def error_log(
        self, msg: str = "", level: int = logging.INFO, traceback: bool = False
    ) -> None:
        LOG.log(level, "server %s", json.dumps(msg.partition("\n")[0]))


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


def _tls(certificate: Path | None, key: Path | None) -> BuiltinSSLAdapter:
    adapter = BuiltinSSLAdapter(str(certificate), str(key))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(str(certificate), str(key))
    adapter.context = context
    return adapter
