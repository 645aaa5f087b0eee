"""Plays the store's nodes: the stand-in of tests/kurrent at each node's own address.

python -m tests.deploy.rehearsal.store TLS_FOLDER ADMIN_FILE NODE=ADDRESS ...
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.kurrent.server import Cluster, StandIn


def main(tls: str, admin: str, *nodes: str) -> None:
    """Serve until told to stop; data stays in memory."""
    proof = (
        (Path(tls) / "tls.key").read_bytes(),
        (Path(tls) / "tls.crt").read_bytes(),
    )
    login = f"admin:{Path(admin).read_text()}"
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    cluster = Cluster()
    started = [
        StandIn(cluster, host=name, at=at, port=2113, certificate=proof, login=login)
        for name, _, at in (node.partition("=") for node in nodes)
    ]
    signal.sigwait({signal.SIGTERM})
    for one in started:
        one.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
