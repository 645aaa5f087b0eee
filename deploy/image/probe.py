"""Says whether this container's process does its part. Needs no secret.

    probe.py joined 5671     exit 0 if a connection to remote port 5671 is established
    probe.py answers 8400    exit 0 if the site on port 8400 here says 200

Processes that serve no port (rpc, follow, work) are ready when joined to the broker or
the store.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterable
from http import HTTPStatus
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Final

TABLES: Final = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))
ESTABLISHED: Final = "01"
PATIENCE: Final = 4.0  # s


def joined(port: int, tables: Iterable[str]) -> bool:
    """Say whether one of the kernel's tables has a connection to `port` that stands."""
    for table in tables:
        for line in table.splitlines()[1:]:
            fields = line.split()
            remote, state = fields[2], fields[3]
            if state == ESTABLISHED and int(remote.rpartition(":")[2], 16) == port:
                return True
    return False


def answers(port: int) -> bool:
    """Say whether the site is up. Who it is does not matter here: it is ourselves."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    site = HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=tls)
    try:
        site.request("GET", "/healthz")
        return site.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        site.close()


def main(question: str, port: int) -> bool:
    """Answer one question; any other is answered no."""
    if question == "joined":
        return joined(port, [path.read_text() for path in TABLES if path.exists()])
    return question == "answers" and answers(port)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1], int(sys.argv[2])) else 1)
