"""The journal in one SQLite file: durable, compact, shared by processes.

Writers fold: whoever finds nobody writing writes at once, and takes along all that is
queued by then, in one transaction; each append keeps its own verdict. No thread of its
own, no added delay: while one transaction waits for the disk the next one gathers.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from shared.eventstore.folding import Ask, Folding
from shared.eventstore.port import (
    NO_STREAM,
    PAGE,
    Appended,
    CorruptRecord,
    RawEvent,
    RawRecord,
)
from shared.eventstore.sqlitefile import (
    Readers,
    checksum_of,
    create,
    fault_of,
    faults_named,
)
from shared.eventstore.sqlitewriter import Writer
from shared.messaging.local import LocalHints
from shared.messaging.port import Hints

SAFETY_POLL: Final = 1.0  # s between looks at the file, should a hint be lost

_HEAD: Final = "SELECT coalesce(max(pos), 0) FROM events"
_STREAM: Final = """
    SELECT event_id, type, schema, body, meta, name, version, pos, seal
    FROM events e JOIN streams s ON s.id = e.stream
    WHERE name = ? AND version > ? ORDER BY version LIMIT ?"""
_ALL: Final = """
    SELECT event_id, type, schema, body, meta, name, version, pos, seal
    FROM events e LEFT JOIN streams s ON s.id = e.stream
    WHERE pos > ? ORDER BY pos LIMIT ?"""


class SqliteJournal:
    """Keeps encoded facts in one file; safe for threads, and for several processes."""

    def __init__(self, path: Path, hints: Hints | None = None) -> None:
        """Open the file at `path`, made with its folder for this user alone if absent.

        Raises:
            StoreUnavailable: the file cannot be opened, or is of a newer format.
        """
        self._path = path
        create(path)
        self._readers = Readers(path)
        self._writer = Writer(path)
        self._hints = hints or LocalHints()
        self._folding = Folding(self._write)

    def append(
        self, stream: str, events: Sequence[RawEvent], *, expected: int
    ) -> Appended:
        """As `EventStore.append`; fsynced before it returns.

        Raises:
            WrongVersion: the stream is not at `expected`. Nothing was written.
            StoreUnavailable: the disk failed. Nothing was written.
            ValueError: no events, or an id that another fact has.
        """
        if not events:
            raise ValueError("a batch holds at least one event")
        stream.encode()  # refused here, not in a transaction shared with others
        return self._folding.submit(Ask(stream, events, expected))

    def read(self, stream: str, *, after: int = NO_STREAM) -> Iterator[RawRecord]:
        """As `EventStore.read`.

        Raises:
            CorruptRecord: a row is not what was written, or one is missing.
            StoreUnavailable: the file cannot be read.
        """
        while True:
            with self._readers.borrow() as reader, faults_named(self._path):
                rows = reader.execute(_STREAM, (stream, after, PAGE)).fetchall()
            for record in _records(rows):
                after += 1
                if record.version != after:
                    message = f"version {after} of {stream} is missing"
                    raise CorruptRecord(message)
                yield record
            if len(rows) < PAGE:
                return

    def read_all(self, after: int, limit: int) -> Sequence[RawRecord]:
        """As `EventStore.read_all`; raises as `read`.

        Positions have no gap: rows are numbered under the write lock, as they commit.
        """
        with self._readers.borrow() as reader, faults_named(self._path):
            rows = reader.execute(_ALL, (after, limit)).fetchall()
        records = _records(rows)
        for position, record in enumerate(records, start=after + 1):
            if record.position != position:
                message = f"position {position} is missing"
                raise CorruptRecord(message)
        return records

    def wait(self, after: int, timeout: float) -> bool:
        """As `EventStore.wait`; other processes are noticed within a second."""
        deadline = time.monotonic() + timeout
        while True:
            if self._head() > after:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._hints.wait(after, min(left, SAFETY_POLL))

    def close(self) -> None:
        """Finish what was accepted, then let go of the file."""
        self._folding.close()
        self._writer.close()
        self._readers.close()

    def _head(self) -> int:
        with self._readers.borrow() as reader, faults_named(self._path):
            return int(reader.execute(_HEAD).fetchone()[0])

    def _write(self, batch: Sequence[Ask]) -> None:
        """Write a batch of appends as one transaction and set their verdicts."""
        try:
            position = self._writer.write(batch)
        except sqlite3.Error as error:
            for ask in batch:
                ask.verdict = fault_of(self._path, error)
        else:
            self._hints.notify(position)


class _Row(RawRecord, frozen=True, kw_only=True, array_like=True, gc=False):
    """A record as it is selected: its fields in their order, then the checksum."""

    seal: int


def _records(rows: Sequence[tuple[Any, ...]]) -> Sequence[RawRecord]:
    """Return rows as records, each checked.

    Raises:
        CorruptRecord: one is not what was written; the message names the first.
    """
    for row in rows:
        try:
            intact = checksum_of(*row[:-1]) == row[-1]
        except (TypeError, ValueError, AttributeError):
            intact = False
        if not intact:
            message = f"position {row[-2]} in {row[5]} was altered"
            raise CorruptRecord(message)
    try:
        return msgspec.convert(rows, list[_Row])
    except msgspec.ValidationError as error:  # forged, with the checksum to it
        message = f"positions {rows[0][-2]} to {rows[-1][-2]}: {error}"
        raise CorruptRecord(message) from None
