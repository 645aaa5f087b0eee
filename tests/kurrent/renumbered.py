"""A journal seen as if it were empty and numbered from 1: what the contract counts in.

A cluster's positions have holes, and a cluster that is already there has other facts.
The view changes numbers and stream names, one to one and in order, and nothing else.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace

from msgspec import structs

from shared.eventstore.port import (
    NO_STREAM,
    PAGE,
    Appended,
    Journal,
    RawEvent,
    RawRecord,
)

BEYOND = 2**62


class Renumbered:
    """Shows of `inner` only what is later than `base`, in streams of its own."""

    def __init__(self, inner: Journal, base: int, prefix: str) -> None:
        """Show `inner` from position `base` on."""
        self._inner = inner
        self._prefix = prefix
        self._lock = threading.Lock()
        self._positions = [base]

    def append(
        self, stream: str, events: Sequence[RawEvent], *, expected: int
    ) -> Appended:
        """As `Journal.append`."""
        done = self._inner.append(self._prefix + stream, events, expected=expected)
        return replace(done, position=self._number(done.position))

    def read(self, stream: str, *, after: int = NO_STREAM) -> Iterator[RawRecord]:
        """As `Journal.read`."""
        return map(self._seen, self._inner.read(self._prefix + stream, after=after))

    def read_all(self, after: int, limit: int) -> Sequence[RawRecord]:
        """As `Journal.read_all`."""
        found = self._inner.read_all(self._position(after), limit)
        return [self._seen(record) for record in found]

    def wait(self, after: int, timeout: float) -> bool:
        """As `Journal.wait`."""
        return self._inner.wait(self._position(after), timeout)

    def close(self) -> None:
        """As `Journal.close`."""
        self._inner.close()

    def _seen(self, record: RawRecord) -> RawRecord:
        assert record.stream.startswith(self._prefix)
        return structs.replace(
            record,
            stream=record.stream.removeprefix(self._prefix),
            position=self._number(record.position),
        )

    def _number(self, position: int) -> int:
        with self._lock:
            if position > self._positions[-1]:
                self._look()
            number = bisect_left(self._positions, position)
            assert self._positions[number] == position, "told, and not in all streams"
            return number

    def _position(self, number: int) -> int:
        with self._lock:
            if number >= len(self._positions):
                self._look()
            if number < len(self._positions):
                return self._positions[number]
            return BEYOND

    def _look(self) -> None:
        while page := self._inner.read_all(self._positions[-1], PAGE):
            for record in page:
                assert record.position > self._positions[-1], "positions must rise"
                self._positions.append(record.position)
