"""Many writers, one disk: appends that are queued together are written together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from shared.eventstore.port import Appended, RawEvent, StoreUnavailable

FOLDED: Final = 128  # appends written together at most


class Ask:
    """One caller's append on its way, and in the end its verdict."""

    __slots__ = ("events", "expected", "gate", "leads", "stream", "verdict")

    def __init__(self, stream: str, events: Sequence[RawEvent], expected: int) -> None:
        """Ask for `events` at the end of `stream`."""
        self.stream = stream
        self.events = events
        self.expected = expected
        self.verdict: Appended | Exception | None = None
        self.leads = False  # it is this caller's turn to write
        self.gate = threading.Lock()
        self.gate.acquire()


class Folding:
    """Lets one caller at a time write what all callers have queued (first come first).

    The leader's own append is always in its batch, so nobody works for others only, and
    when it is done the next in the queue leads.
    """

    def __init__(self, write: Callable[[Sequence[Ask]], None]) -> None:
        """Write batches with `write`, which sets each verdict and does not raise."""
        self._write = write
        self._mutex = threading.Lock()
        self._idle = threading.Condition(self._mutex)
        self._queue: deque[Ask] = deque()
        self._busy = False
        self._closed = False

    def submit(self, ask: Ask) -> Appended:
        """Return or raise the verdict on `ask`, once it is durable.

        Raises:
            StoreUnavailable: closed; or as `write` says.
        """
        with self._mutex:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            alone = not self._busy
            if alone:  # then nobody is queued
                self._busy = True
            else:
                self._queue.append(ask)
        if alone:
            self._lead([ask])
        else:
            self._queue_up(ask)
            if ask.leads:
                self._lead(self._taken())
        if isinstance(ask.verdict, Appended):
            return ask.verdict
        raise ask.verdict or StoreUnavailable("the writer was interrupted")

    def close(self) -> None:
        """Take nothing more, and return when everything taken has its verdict."""
        with self._idle:
            self._closed = True
            self._idle.wait_for(lambda: not self._busy)

    def _queue_up(self, ask: Ask) -> None:
        try:
            ask.gate.acquire()
        except BaseException:  # e.g. Ctrl-C: a leader must not leave unseen
            with self._mutex:
                if ask in self._queue and not ask.leads:
                    self._queue.remove(ask)
            if ask.leads:
                self._lead(self._taken())
            raise

    def _taken(self) -> list[Ask]:
        with self._mutex:
            return [self._queue.popleft() for _ in range(min(FOLDED, len(self._queue)))]

    def _lead(self, batch: list[Ask]) -> None:
        try:
            self._write(batch)
        finally:
            with self._mutex:
                heir = self._queue[0] if self._queue else None
                if heir:
                    heir.leads = True
                else:
                    self._busy = False
                    if self._closed:
                        self._idle.notify_all()
            if heir:
                heir.gate.release()
            for ask in batch[1:]:
                ask.gate.release()
