"""Ports of this machine that stay free until a test takes them, also once more."""

from __future__ import annotations

import os
import socket
from itertools import count, islice
from typing import Final

SPAN: Final = 2000  # ports for each of parallel test workers
FIRST: Final = 10_000  # all are below what the system gives to whoever connects
_turn: Final = count(37 * os.getpid())


def worker() -> int:
    """Return which of parallel test workers this is, from 0 on; four are told apart."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4


def a_quiet_port() -> int:
    """Return a port of loopback that nobody has, and that this process got never yet.

    Of the ports the system picks itself, one may be somebody's before a server that was
    told its number begins, or begins again.
    """
    for number in islice(_turn, SPAN):
        port = FIRST + SPAN * worker() + number % SPAN
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError("no port is free")
