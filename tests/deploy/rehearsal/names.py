"""A name server for the pods, as a cluster has one: addresses of IPv4, over UDP.

python -m tests.deploy.rehearsal.names NAMES.json
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from pathlib import Path
from typing import Final

A: Final = 1
UNKNOWN: Final = 3


def answer(asked: bytes, known: dict[str, str]) -> bytes:
    """Return the reply to one question: an address, nothing, or that none is known."""
    labels, at = [], 12
    while length := asked[at]:
        labels.append(asked[at + 1 : at + 1 + length].decode().lower())
        at += 1 + length
    (kind,) = struct.unpack("!H", asked[at + 1 : at + 3])
    address = known.get(".".join(labels))
    found = address is not None and kind == A
    flags = 0x8580 | (0 if address else UNKNOWN)
    head = asked[:2] + struct.pack("!5H", flags, 1, int(found), 0, 0)
    record = b""
    if address and found:
        record = struct.pack("!3HIH", 0xC00C, A, 1, 5, 4) + socket.inet_aton(address)
    return head + asked[12 : at + 5] + record


def main(path: str) -> None:
    """Answer until ended."""
    known = json.loads(Path(path).read_text())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", 53))  # noqa: S104  # the pod's only address
        while True:
            asked, whose = server.recvfrom(4096)
            server.sendto(answer(asked, known), whose)


if __name__ == "__main__":
    main(sys.argv[1])
