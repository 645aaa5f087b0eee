"""Sees every attempt to talk, on the router; the kernel picks out first packets."""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
from typing import Final

from tests.deploy.rehearsal.network import Network

IP: Final = 0x0800
ATTACH_FILTER: Final = 26
UDP: Final = 17
# Packets begin at the IP header: first of a TCP connection (SYN without ACK), or UDP.
PROGRAM: Final = (
    (0x30, 0, 0, 9),  # protocol
    (0x15, 5, 0, UDP),  # taken
    (0x15, 0, 5, 6),  # not TCP: dropped
    (0xB1, 0, 0, 0),  # length of the IP header
    (0x50, 0, 0, 13),  # TCP flags
    (0x54, 0, 0, 0x12),  # SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone
    (0x06, 0, 0, 128),
    (0x06, 0, 0, 0),
)


class Watch:
    """Collects who tried to reach whom, whether or not the road was open."""

    def __init__(self, network: Network) -> None:
        """Listen from now on."""
        self._network = network
        self._stop = threading.Event()
        self.tried: set[tuple[str, str, int]] = set()
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IP)
        )
        code = b"".join(struct.pack("HBBI", *step) for step in PROGRAM)
        held = ctypes.create_string_buffer(code, len(code))
        told = struct.pack("HP", len(PROGRAM), ctypes.addressof(held))
        self._socket.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, told)
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no longer."""
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                packet = self._socket.recv(128)
            except TimeoutError:
                continue
            frm, to = (socket.inet_ntoa(packet[i : i + 4]) for i in (12, 16))
            if not (frm.startswith("10.77.") and to.startswith("10.77.")):
                self.tried.add((frm, to, 0))
                continue
            head = (packet[0] & 15) * 4
            source, port = struct.unpack("!HH", packet[head : head + 4])
            if packet[9] == UDP and source < port:
                continue  # an answer
            self.tried.add((self._network.owner(frm), self._network.owner(to), port))
