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
from typing import Final
from uuid import UUID

from shared.eventstore.folding import Ask, Folding
from shared.eventstore.port import (
    NO_STREAM,
    PAGE,
    Appended,
    CorruptRecord,
    RawEvent,
    RawRecord,
    WrongVersion,
)
from shared.eventstore.sqlitefile import (
    Readers,
    checksum,
    connect,
    create,
    fault_of,
    faults_named,
)
from shared.messaging.local import LocalHints
from shared.messaging.port import Hints

TAKEN: Final = "an event id is already taken by another fact"
SAFETY_POLL: Final = 1.0  # s between looks at the file, should a hint be lost

_PLACE: Final = """
    SELECT (SELECT max(pos) FROM events), s.id,
        (SELECT max(version) FROM events e WHERE e.stream = s.id)
    FROM (SELECT 1) LEFT JOIN streams s ON name = ?"""
_HEAD: Final = "SELECT coalesce(max(pos), 0) FROM events"
_INSERT: Final = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_BY_ID: Final = """
    SELECT s.name, version, pos FROM events e JOIN streams s ON s.id = e.stream
    WHERE event_id = ?"""
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
        self._writer: sqlite3.Connection | None = None
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
            for row in rows:
                record = _record(row)
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
        records = [_record(row) for row in rows]
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
        self._forget_writer()
        self._readers.close()

    def _head(self) -> int:
        with self._readers.borrow() as reader, faults_named(self._path):
            return int(reader.execute(_HEAD).fetchone()[0])

    def _write(self, batch: Sequence[Ask]) -> None:
        """Write a batch of appends as one transaction and set their verdicts."""
        try:
            position = self._transact(batch)
        except sqlite3.Error as error:
            self._forget_writer()
            for ask in batch:
                ask.verdict = fault_of(self._path, error)
        else:
            self._hints.notify(position)

    def _transact(self, batch: Sequence[Ask]) -> int:
        if self._writer is None:
            self._writer = connect(self._path)
        writer, position = self._writer, 0
        writer.execute("BEGIN IMMEDIATE")
        try:
            for ask in batch:
                position = _judge(writer, ask)
            writer.execute("COMMIT")
        except BaseException:
            self._forget_writer()
            raise
        return position

    def _forget_writer(self) -> None:
        """Drop the connection, and with it whatever was not committed."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _judge(writer: sqlite3.Connection, ask: Ask) -> int:
    """Set the verdict of `ask`, written if it may be; return the new last position."""
    head, stream, version = writer.execute(_PLACE, (ask.stream,)).fetchone()
    head = head or 0
    if (NO_STREAM if version is None else version) != ask.expected:
        ask.verdict = _repeat(writer, ask) or WrongVersion()
        return int(head)
    if _taken(writer, ask):
        ask.verdict = _repeat(writer, ask) or ValueError(TAKEN)
        return int(head)
    if stream is None:
        made = writer.execute("INSERT INTO streams (name) VALUES (?)", (ask.stream,))
        stream = made.lastrowid
    rows = [
        (
            head + offset,
            stream,
            ask.expected + offset,
            event.event_id.bytes,
            event.type_name,
            event.schema,
            event.body,
            event.meta,
            checksum(event, ask.stream, ask.expected + offset, head + offset),
        )
        for offset, event in enumerate(ask.events, start=1)
    ]
    try:
        writer.executemany(_INSERT, rows)
    except sqlite3.IntegrityError:  # of one row, which is then not written
        ask.verdict = _repeat(writer, ask) or ValueError(TAKEN)
        return int(head)
    ask.verdict = Appended(version=rows[-1][2], position=rows[-1][0])
    return int(rows[-1][0])


def _taken(writer: sqlite3.Connection, ask: Ask) -> bool:
    """Tell whether an id of a batch is in use; of a single event, inserting tells."""
    if len(ask.events) == 1:
        return False
    ids = {event.event_id for event in ask.events}
    return len(ids) < len(ask.events) or any(_find(writer, each) for each in ids)


def _find(writer: sqlite3.Connection, event_id: UUID) -> tuple[str, int, int] | None:
    found: tuple[str, int, int] | None = writer.execute(
        _BY_ID, (event_id.bytes,)
    ).fetchone()
    return found


def _repeat(writer: sqlite3.Connection, ask: Ask) -> Appended | None:
    """Return the first answer if exactly these events were appended before."""
    first, last = None, None
    for offset, event in enumerate(ask.events):
        last = _find(writer, event.event_id)
        if last is None or last[0] != ask.stream:
            return None
        first = last[1] if first is None else first
        if last[1] != first + offset:
            return None
    return Appended(version=last[1], position=last[2]) if last else None


def _record(row: tuple[bytes, str, int, bytes, bytes, str, int, int, int]) -> RawRecord:
    event_id, type_name, schema, body, meta, stream, version, position, seal = row
    try:
        record = RawRecord(
            event_id=UUID(bytes=event_id),
            type_name=type_name,
            schema=schema,
            body=body,
            meta=meta,
            stream=stream,
            version=version,
            position=position,
        )
        intact = checksum(record, stream, version, position) == seal
    except (TypeError, ValueError, AttributeError):
        intact = False
    else:
        if intact:
            return record
    message = f"position {position} in {stream} was altered"
    raise CorruptRecord(message)
