"""Says whether this container's process does its part. Needs no secret.

    probe.py joined 5671     exit 0 if a connection to remote port 5671 is established
    probe.py follows 2113    the same, and nothing in the process stands still for good
    probe.py answers 8400    exit 0 if the site on port 8400 here says 200

Processes that serve no port are ready when joined to the broker (rpc), or when they
follow the store (follow, work). Only being joined is a matter of life: what stands
still until the program is mended is not helped by another start.
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
SOCKETS: Final = Path("/proc/self/net/unix")
FLAG: Final = "@letterlock-stands-still"  # of `shared/flag.py`
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


def stands_still(table: str) -> bool:
    """Say whether the kernel's table of local sockets has the flag of our process."""
    return any(line.partition(FLAG)[1] for line in table.splitlines())


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
    if question in {"joined", "follows"}:
        if question == "follows" and stands_still(SOCKETS.read_text()):
            return False
        return joined(port, [path.read_text() for path in TABLES if path.exists()])
    return question == "answers" and answers(port)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1], int(sys.argv[2])) else 1)
