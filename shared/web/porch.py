"""Where requests wait: no worker is given one before all of it is here.

Who sends slowly costs a socket and the bytes sent so far, not a thread, and has a
deadline for the whole, however it spreads the bytes. When there is no more room, the
one that has waited longest goes: a newcomer in good order needs milliseconds.
"""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final, Generic, Protocol, TypeVar

from shared.frames import log_place
from shared.web.receiving import Bounds, Inbox, Refusable, length_of

LOG: Final = logging.getLogger("letterlock.web")
TICK: Final = 0.25  # seconds between looks at the deadlines
CHUNK: Final = 64 * 1024  # bytes taken at once
_BLOCKED: Final = (BlockingIOError, ssl.SSLWantReadError)


class Visitor(Protocol):
    """A connection, as far as this module is concerned. Hashed by identity."""

    socket: socket.socket

    @property
    def inbox(self) -> Inbox:
        """Return where its bytes are put."""
        ...

    @property
    def source(self) -> str:
        """Return whose it is; empty for a proxy, which comes for many."""
        ...

    def close(self) -> None:
        """End it."""
        ...


V = TypeVar("V", bound=Visitor)


@dataclass(slots=True)
class _Guest:
    """One who waits: until when, for how many bytes, and what is done already."""

    until: float
    needed: int = 1
    greeted: bool = False
    head: bool = False
    listening: int = selectors.EVENT_READ


class Porch(Generic[V]):
    """Receives requests in one thread and hands each on when it is complete."""

    def __init__(self, admit: Callable[[V], None], bounds: Bounds) -> None:
        """Call `admit` with each connection whose request is here; it must not wait."""
        self._admit = admit
        self._bounds = bounds
        self._guests: dict[V, _Guest] = {}  # longest waiting first
        self._sources: Counter[str] = Counter()
        self._inside: dict[V, int] = {}  # bytes of requests handed on, not yet read
        self._coming: deque[V] = deque()
        self._held = 0  # bytes, of guests and of those inside
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = socket.socketpair()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to receive."""
        self._bell.settimeout(0)
        self._ringer.settimeout(0)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        """Close whoever waits; from now on whoever comes is closed."""
        with self._lock:
            self._stopping = True
            self._ring()
        if self._thread.is_alive():
            self._thread.join()

    def take(self, visitor: V) -> None:
        """Let `visitor` wait here until its request is complete. Returns at once."""
        with self._lock:
            stopping = self._stopping
            if not stopping:
                self._coming.append(visitor)
                self._ring()
        if stopping:
            visitor.close()

    def read(self, visitor: V) -> None:
        """Hear that a worker has begun to read the request of `visitor`."""
        with self._lock:
            self._held -= self._inside.pop(visitor, 0)

    def _ring(self) -> None:
        with suppress(BlockingIOError):  # it rings already
            self._ringer.send(b"\0")

    def _run(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select(TICK if self._guests else None):
                if key.data is None:
                    with suppress(BlockingIOError):
                        self._bell.recv(CHUNK)
                elif key.data in self._guests:
                    self._hear(key.data)
            while self._coming:
                self._seat(self._coming.popleft())
            self._make_room()
        for visitor in [*self._guests, *self._coming]:
            visitor.close()
        self._selector.close()
        with self._lock:
            self._bell.close()
            self._ringer.close()

    def _seat(self, visitor: V) -> None:
        guest = _Guest(until=monotonic() + self._bounds.head)
        self._guests[visitor] = guest
        self._sources[visitor.source] += 1
        with self._lock:
            self._held += len(visitor.inbox)
        try:
            visitor.socket.settimeout(0)
            self._selector.register(visitor.socket, guest.listening, visitor)
        except (OSError, ValueError):  # gone already
            self._drop(visitor)
            return
        if visitor.source and (
            self._sources[visitor.source] > self._bounds.of_one_source
        ):
            self._drop(next(v for v in self._guests if v.source == visitor.source))
        if len(self._guests) > self._bounds.guests:
            self._drop(next(iter(self._guests)))
        if visitor in self._guests:
            self._hear(visitor)  # its bytes are often here by now

    def _hear(self, visitor: V) -> None:
        guest = self._guests[visitor]
        wanted = selectors.EVENT_READ
        try:
            self._receive(visitor, guest)
            if len(visitor.inbox) >= guest.needed:
                self._hand_on(visitor)
                return
        except _BLOCKED:
            pass
        except ssl.SSLWantWriteError:
            wanted = selectors.EVENT_WRITE
        except Refusable as refusal:
            self._drop(visitor, str(refusal))
            return
        except OSError:
            self._drop(visitor)
            return
        except Exception as error:  # noqa: BLE001  # one must not end it for all
            log_place(LOG, "a connection could not be received", error)
            self._drop(visitor)
            return
        if wanted != guest.listening:
            guest.listening = wanted
            self._selector.modify(visitor.socket, wanted, visitor)

    def _receive(self, visitor: V, guest: _Guest) -> None:
        line = visitor.socket
        if not guest.greeted and isinstance(line, ssl.SSLSocket):
            line.do_handshake()
        guest.greeted = True
        if visitor.inbox:  # of a request sent behind the last one
            self._measure(visitor, guest)
        while len(visitor.inbox) < guest.needed:
            data = line.recv(CHUNK)
            if not data:
                raise ConnectionAbortedError
            visitor.inbox.add(data)
            with self._lock:
                self._held += len(data)
            self._measure(visitor, guest)

    def _measure(self, visitor: V, guest: _Guest) -> None:
        if not guest.head:
            sent = visitor.inbox.view()
            guest.needed, guest.head = length_of(sent, self._bounds)
            if guest.head:
                guest.until = monotonic() + self._bounds.body

    def _hand_on(self, visitor: V) -> None:
        self._leave(visitor)
        with self._lock:
            self._inside[visitor] = len(visitor.inbox)
        self._admit(visitor)

    def _make_room(self) -> None:
        now = monotonic()
        late = [visitor for visitor, guest in self._guests.items() if guest.until < now]
        for visitor in late:
            self._drop(visitor, "408 Request Timeout" if visitor.inbox else "")
        while self._held > self._bounds.held and self._guests:
            self._drop(next(iter(self._guests)))

    def _drop(self, visitor: V, status: str = "") -> None:
        self._leave(visitor)
        with self._lock:
            self._held -= len(visitor.inbox)
        if status:
            answer = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n"
            with suppress(OSError):
                visitor.socket.send(answer.encode() + b"\r\n")
        visitor.close()

    def _leave(self, visitor: V) -> None:
        del self._guests[visitor]
        self._sources[visitor.source] -= 1
        if not self._sources[visitor.source]:
            del self._sources[visitor.source]
        with suppress(KeyError, ValueError):
            self._selector.unregister(visitor.socket)
