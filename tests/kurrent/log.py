"""What the stand-in server keeps: one log in memory, with the real server's rules.

After the server's public sources and its clients' tests: positions are byte offsets
with holes; ids are compared only on a version mismatch, and then at exactly the
versions offered; half a repeat is a mismatch; ids elsewhere are nobody's business; the
server's own events lie between ours; one append is at most 1 MiB.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_APPEND: Final = 1024 * 1024
NO_STREAM: Final = -1
ANY: Final = -2
EXISTS: Final = -4
OVERHEAD: Final = 117  # bytes of a record besides its data
NOISE: Final = 7  # every so many appends the server writes statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An event on its way in."""

    id: str
    type: str
    content_type: str
    data: bytes
    metadata: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Proposal):
    """An event in the log."""

    stream: str
    revision: int
    position: int


@dataclass(frozen=True, slots=True)
class Mismatch(Exception):
    """The stream is at `current`."""

    current: int


class Tombstoned(Exception):
    """The stream was deleted for ever."""


class TooLarge(Exception):
    """More bytes than one append may have."""


class Log:
    """The log of a node or of a cluster; safe for threads."""

    def __init__(self) -> None:
        """Begin as a fresh server does: with events of its own."""
        self.grown = threading.Condition()
        self._entries: list[Entry] = []
        self._positions: list[int] = []
        self._streams: defaultdict[str, list[Entry]] = defaultdict(list)
        self._next = 0
        self._appends = 0
        self.tombstones: set[str] = set()
        self._noise("$settings")

    def append(self, stream: str, expected: int, offered: Sequence[Proposal]) -> Entry:
        """Return the last of the entries that hold `offered`, old or new."""
        if sum(len(p.data) + len(p.metadata) for p in offered) > MAX_APPEND:
            raise TooLarge
        if stream in self.tombstones:
            raise Tombstoned
        with self.grown:
            entries = self._streams.get(stream, [])
            current = len(entries) - 1
            if expected == EXISTS and entries:
                expected = current
            if expected not in {ANY, current}:
                return _repeated(entries, expected, offered)
            for proposal in offered:
                self._keep(stream, proposal)
            last = self._entries[-1]
            self._appends += 1
            if self._appends % NOISE == 0:
                self._noise("$stats-0.0.0.0:2113")
            self.grown.notify_all()
            return last

    def stream(self, name: str) -> Sequence[Entry]:
        """Return the entries of a stream."""
        with self.grown:
            return list(self._streams.get(name, ()))

    def later(self, position: int) -> Sequence[Entry]:
        """Return the entries after `position`."""
        with self.grown:
            return self._entries[bisect_right(self._positions, position) :]

    def since(self, position: int) -> Sequence[Entry] | None:
        """Return the entries from the one at `position` on; None if none is there."""
        with self.grown:
            index = bisect_left(self._positions, position)
            if index < len(self._positions) and self._positions[index] == position:
                return self._entries[index:]
            return None

    def end(self) -> int:
        """Return the position of the last entry."""
        with self.grown:
            return self._positions[-1]

    def alter(self, position: int, entry: Entry) -> None:
        """Put `entry` where another is, as a broken disk would."""
        with self.grown:
            self._entries[self._positions.index(position)] = entry
            self._streams[entry.stream][entry.revision] = entry

    def _noise(self, stream: str) -> None:
        statistics = Proposal(
            id=f"00000000-0000-4000-8000-{len(self._entries):012x}",
            type="$statsCollected",
            content_type="application/json",
            data=b"{}",
            metadata=b"",
        )
        self._keep(stream, statistics)

    def _keep(self, stream: str, proposal: Proposal) -> None:
        entry = Entry(
            id=proposal.id,
            type=proposal.type,
            content_type=proposal.content_type,
            data=proposal.data,
            metadata=proposal.metadata,
            stream=stream,
            revision=len(self._streams[stream]),
            position=self._next,
        )
        self._next += len(entry.data) + len(entry.metadata) + len(stream) + OVERHEAD
        self._entries.append(entry)
        self._positions.append(entry.position)
        self._streams[stream].append(entry)


def _repeated(
    entries: Sequence[Entry], expected: int, offered: Sequence[Proposal]
) -> Entry:
    """Return the last of `offered` if they stand right after `expected` already."""
    there = (
        entries[expected + 1 : expected + 1 + len(offered)] if expected > ANY else []
    )
    if not there or [e.id for e in there] != [p.id for p in offered]:
        raise Mismatch(len(entries) - 1)
    return there[-1]
