"""A journal in memory: for tests, and the plainest statement of the promises."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from uuid import UUID

from shared.eventstore.port import (
    NO_STREAM,
    Appended,
    RawEvent,
    RawRecord,
    WrongVersion,
)

_FIELDS = RawEvent.__struct_fields__


class MemoryJournal:
    """Keeps encoded facts as long as the process lives; safe for threads."""

    def __init__(self) -> None:
        """Start empty."""
        self._moved = threading.Condition()
        self._all: list[RawRecord] = []
        self._streams: defaultdict[str, list[RawRecord]] = defaultdict(list)
        self._ids: dict[UUID, RawRecord] = {}

    def append(
        self, stream: str, events: Sequence[RawEvent], *, expected: int
    ) -> Appended:
        """As `EventStore.append`.

        Raises:
            WrongVersion: the stream is not at `expected`. Nothing was written.
            ValueError: no events, or an id that another fact has.
        """
        ids = [event.event_id for event in events]
        if not ids:
            raise ValueError("a batch holds at least one event")
        with self._moved:
            known = [self._ids[each] for each in ids if each in self._ids]
            if _is_repeat(stream, ids, known):
                return Appended(version=known[-1].version, position=known[-1].position)
            if len(self._streams.get(stream, ())) - 1 != expected:
                raise WrongVersion
            if known or len(set(ids)) < len(ids):
                raise ValueError("an event id is already taken by another fact")
            for version, event in enumerate(events, start=expected + 1):
                self._keep(stream, version, event)
            self._moved.notify_all()
            last = self._all[-1]
            return Appended(version=last.version, position=last.position, fresh=True)

    def read(self, stream: str, *, after: int = NO_STREAM) -> Iterator[RawRecord]:
        """As `EventStore.read`."""
        with self._moved:
            found = self._streams.get(stream, [])[after + 1 :]
        yield from found

    def read_all(self, after: int, limit: int) -> Sequence[RawRecord]:
        """As `EventStore.read_all`."""
        with self._moved:
            return self._all[after : after + limit]

    def wait(self, after: int, timeout: float) -> bool:
        """As `EventStore.wait`."""
        with self._moved:
            return self._moved.wait_for(lambda: len(self._all) > after, timeout)

    def close(self) -> None:
        """Nothing to let go of."""

    def _keep(self, stream: str, version: int, event: RawEvent) -> None:
        record = RawRecord(
            **{name: getattr(event, name) for name in _FIELDS},
            stream=stream,
            version=version,
            position=len(self._all) + 1,
        )
        self._all.append(record)
        self._streams[stream].append(record)
        self._ids[record.event_id] = record


def _is_repeat(stream: str, ids: list[UUID], known: list[RawRecord]) -> bool:
    return (
        len(known) == len(ids)
        and all(record.stream == stream for record in known)
        and [r.version for r in known]
        == list(range(known[0].version, known[0].version + len(ids)))
    )
