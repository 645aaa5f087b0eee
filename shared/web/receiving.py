"""What comes over a line and what goes back; how much, and how long it may take."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from time import monotonic
from typing import Final

_END: Final = re.compile(rb"\r?\n\r?\n")
_FOLDED: Final = re.compile(rb"\n[ \t]")
_CODED: Final = re.compile(rb"(?i)\ntransfer-encoding[ \t]*:")
_LENGTH: Final = re.compile(rb"(?i)\ncontent-length[ \t]*:[ \t]*([^\r\n]*)")
_NUMBER: Final = re.compile(rb"[0-9]{1,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long and how many may wait."""

    head: float = 10.0  # seconds for a handshake and all headers
    body: float = 30.0  # seconds for what follows them
    answer: float = 30.0  # seconds for taking the answer
    longest_head: int = 16 * 1024  # bytes
    largest_body: int = 4 * 1024 * 1024  # bytes; a larger one is not waited for
    guests: int = 256  # connections with part of a request, or none yet
    of_one_source: int = 64  # among them
    held: int = 64 * 1024 * 1024  # bytes received and not yet with a worker


class Refusable(Exception):
    """A request that is not worth waiting for; the text is the status to answer."""


class Inbox:
    """Bytes that came and are not read yet. Reading never waits."""

    def __init__(self) -> None:
        """Begin empty."""
        self._bytes = bytearray()
        self.bytes_read = 0
        self.closed = False

    def __len__(self) -> int:
        """Return how many bytes lie here."""
        return len(self._bytes)

    def add(self, data: bytes) -> None:
        """Put `data` behind what is here."""
        self._bytes += data

    def view(self) -> bytearray:
        """Return what lies here; not to be changed."""
        return self._bytes

    def has_data(self) -> bool:
        """Say whether anything lies here."""
        return bool(self._bytes)

    def read(self, size: int | None = -1) -> bytes:
        """Take up to `size` bytes, all if it is negative; fewer are the end."""
        return self._take(len(self) if size is None or size < 0 else size)

    def readline(self, size: int | None = -1) -> bytes:
        """Take one line with its end, but not more than `size` bytes."""
        length = self._bytes.find(b"\n") + 1 or len(self)
        return self._take(length if size is None or size < 0 else min(size, length))

    def close(self) -> None:
        """Throw away what lies here."""
        self._bytes.clear()
        self.closed = True

    def _take(self, size: int) -> bytes:
        taken = bytes(self._bytes[:size])
        del self._bytes[:size]
        self.bytes_read += len(taken)
        return taken


class Outbox:
    """Writes answers to a socket, with one deadline for all of an answer."""

    def __init__(self, sock: socket.socket, patience: float) -> None:
        """Give each answer `patience` seconds from its first byte."""
        self._socket = sock
        self._patience = patience
        self._until: float | None = None
        self.bytes_written = 0

    def begin(self) -> None:
        """Start a new answer."""
        self._until = None

    def write(self, data: bytes) -> int:
        """Send all of `data`. Raises TimeoutError, and OSError if nobody is there."""
        if self._until is None:
            self._until = monotonic() + self._patience
        rest = memoryview(data)
        while rest:
            left = self._until - monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._socket.settimeout(left)
            try:
                rest = rest[self._socket.send(rest) :]
            except TimeoutError:
                raise TimeoutError("timed out") from None
        self.bytes_written += len(data)
        return len(data)


def length_of(sent: bytes | bytearray, bounds: Bounds) -> tuple[int, bool]:
    """Return how many bytes must be here, and whether the head is.

    A head that is too long, or a body that is too large, is not waited for: who reads
    the request refuses it.

    Raises:
        Refusable: the body's length is not plain (RFC 9112, section 6.3): two lengths,
            a transfer coding, a folded line.
    """
    end = _END.search(sent)
    if end is None:
        return (len(sent) if len(sent) > bounds.longest_head else len(sent) + 1), False
    head = sent[: end.start() + 1]
    if _CODED.search(head):
        raise Refusable("411 Length Required")
    lengths = _LENGTH.findall(head)
    if _FOLDED.search(head) or len(lengths) > 1:
        raise Refusable("400 Bad Request")
    if not lengths:
        return end.end(), True
    number = lengths[0].rstrip(b" \t")
    if not _NUMBER.fullmatch(number):
        raise Refusable("400 Bad Request")
    return end.end() + (int(number) if int(number) <= bounds.largest_body else 0), True
