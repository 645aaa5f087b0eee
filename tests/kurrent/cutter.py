"""A wire between client and server that a test can cut, or make swallow everything."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

HARD = struct.pack("ii", 1, 0)  # close with a reset


class Cutter:
    """Forwards TCP connections from a free port to another port of this machine."""

    def __init__(self, port: int) -> None:
        """Listen, and forward to `port`."""
        self.swallow = threading.Event()  # while set, nothing gets through
        self.cuts = 0
        self._to = port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *, mend: bool = False) -> None:
        """Break every connection there is; new ones are let through.

        With `mend` nothing is swallowed any more on new ones, and before on none.
        """
        with self._lock:  # no new one begins meanwhile
            broken, self._open = self._open, set()
            self.cuts += len(broken) // 2
            for each in broken:
                with suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD)
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
            if mend:
                self.swallow.clear()

    def close(self) -> None:
        """Break everything and listen no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("localhost", self._to), 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self.swallow.is_set():
                    sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
