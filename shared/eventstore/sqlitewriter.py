"""The writing side of the SQLite journal: batches of appends, each with its verdict."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final
from uuid import UUID

from shared.eventstore.folding import Ask
from shared.eventstore.port import NO_STREAM, Appended, WrongVersion
from shared.eventstore.sqlitefile import checksum, connect

TAKEN: Final = "an event id is already taken by another fact"
KNOWN: Final = 4096  # streams whose last version is remembered
ROWS: Final = 32  # inserted by one statement at most

_PLACE: Final = """
    SELECT (SELECT max(pos) FROM events), (SELECT max(id) FROM streams), s.id,
        (SELECT max(version) FROM events e WHERE e.stream = s.id)
    FROM (SELECT 1) LEFT JOIN streams s ON name = ?"""
_BY_ID: Final = """
    SELECT s.name, version, pos FROM events e JOIN streams s ON s.id = e.stream
    WHERE event_id = ?"""

_BEGIN_STREAM: Final = "INSERT INTO streams VALUES (?, ?)"
_INSERT: Final = "INSERT INTO events VALUES "
_PLACES: Final = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"

_Row = tuple[int, int, int, bytes, str, int, bytes, bytes, int]
_Last = tuple[int, int]  # position of the last fact, number of the newest stream
_Top = tuple[int, int]  # number of a stream, version of its last fact


@dataclass(slots=True)
class _Plan:
    """Rows for a whole batch, right if nobody else wrote meanwhile."""

    head: int  # position of the last fact
    streams: int  # number of the newest stream
    rows: list[_Row] = field(default_factory=list)
    begun: list[tuple[int, str]] = field(default_factory=list)  # new streams
    tops: dict[str, _Top] = field(default_factory=dict)
    verdicts: list[Appended] = field(default_factory=list)

    def add(self, ask: Ask, known: _Top | None) -> bool:
        """Plan one append; False if it does not fit what is known of its stream."""
        if known is None and ask.expected == NO_STREAM:
            self.streams += 1
            known = (self.streams, NO_STREAM)
            self.begun.append((self.streams, ask.stream))
        if known is None or known[1] != ask.expected:
            return False
        rows = _rows_of(ask, known[0], self.head)
        self.rows += rows
        self.verdicts.append(_verdict_of(rows))
        self.head += len(rows)
        self.tops[ask.stream] = (known[0], ask.expected + len(rows))
        return True


class Writer:
    """One connection that writes; not safe for threads, but other processes may write.

    It remembers where the file and recent streams ended when it last looked. Positions
    and versions have no gaps and only rise, so what is remembered is never too high:
    appends that fit it are inserted at once, in as few statements as there can be. If
    another process wrote meanwhile, their places are taken, and SQLite refuses them
    whole by its UNIQUE rules. Then, and when an append does not fit, each is judged
    by what stands in the file, in one transaction.
    """

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._last: _Last | None = None
        self._known: OrderedDict[str, _Top] = OrderedDict()

    def write(self, batch: Sequence[Ask]) -> int:
        """Write what may be written of `batch`, durably, and set every verdict.

        Returns the position of the last fact.

        Raises:
            sqlite3.Error: the file could not be written. Nothing was.
        """
        try:
            if self._db is None:
                self._db = connect(self._path)
            plan = self._planned(batch)
            if plan is None or not _insert_whole(self._db, plan):
                return self._judge_each(self._db, batch)
        except BaseException:
            self.close()
            raise
        for ask, verdict in zip(batch, plan.verdicts, strict=True):
            ask.verdict = verdict
        self._remember((plan.head, plan.streams), plan.tops)
        return plan.head

    def close(self) -> None:
        """Drop the connection, what was not committed, and what was remembered."""
        self._last = None
        self._known.clear()
        if self._db is not None:
            self._db.close()
            self._db = None

    def _planned(self, batch: Sequence[Ask]) -> _Plan | None:
        if self._last is None:
            return None
        plan = _Plan(*self._last)
        for ask in batch:
            known = plan.tops.get(ask.stream) or self._known.get(ask.stream)
            if not plan.add(ask, known):
                return None
        return plan

    def _judge_each(self, db: sqlite3.Connection, batch: Sequence[Ask]) -> int:
        last, tops = (0, 0), {}
        db.execute("BEGIN IMMEDIATE")
        for ask in batch:
            last, top = _judge(db, ask)
            if top is not None:
                tops[ask.stream] = top
        db.execute("COMMIT")
        self._remember(last, tops)
        return last[0]

    def _remember(self, last: _Last, tops: dict[str, _Top]) -> None:
        self._last = last
        for stream, top in tops.items():
            self._known[stream] = top
            self._known.move_to_end(stream)
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)


def _insert_whole(db: sqlite3.Connection, plan: _Plan) -> bool:
    """Insert all that is planned; False, and nothing written, if a place is taken."""
    alone = not plan.begun and len(plan.rows) <= ROWS  # one statement: a transaction
    try:
        if not alone:
            db.execute("BEGIN IMMEDIATE")
        for begun in plan.begun:
            db.execute(_BEGIN_STREAM, begun)
        _insert(db, plan.rows)
        if not alone:
            db.execute("COMMIT")
    except sqlite3.IntegrityError:
        if db.in_transaction:
            db.execute("ROLLBACK")
        return False
    return True


def _judge(db: sqlite3.Connection, ask: Ask) -> tuple[_Last, _Top | None]:
    """Set the verdict of `ask`, written if it may be.

    Returns where the file and the stream end then.
    """
    head, streams, stream, version = db.execute(_PLACE, (ask.stream,)).fetchone()
    version = NO_STREAM if version is None else version
    last = (head or 0, streams or 0)
    top = stream and (stream, version)
    if version != ask.expected:
        ask.verdict = _repeat(db, ask) or WrongVersion()
        return last, top
    if _taken(db, ask):
        ask.verdict = _repeat(db, ask) or ValueError(TAKEN)
        return last, top
    if top is None:
        last = (last[0], last[1] + 1)
        top = (last[1], NO_STREAM)
        db.execute(_BEGIN_STREAM, (top[0], ask.stream))
    rows = _rows_of(ask, top[0], last[0])
    try:
        _insert(db, rows)
    except sqlite3.IntegrityError:  # of one row, which is then not written
        ask.verdict = _repeat(db, ask) or ValueError(TAKEN)
        return last, top
    ask.verdict = _verdict_of(rows)
    return (last[0] + len(rows), last[1]), (top[0], top[1] + len(rows))


def _rows_of(ask: Ask, stream: int, head: int) -> list[_Row]:
    """Return the rows of `ask`, the first one after position `head`."""
    return [
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


def _verdict_of(rows: Sequence[_Row]) -> Appended:
    position, _, version, *_ = rows[-1]
    return Appended(version=version, position=position, fresh=True)


def _insert(db: sqlite3.Connection, rows: Sequence[_Row]) -> None:
    """Insert `rows` by few statements: at each, Python's lock may go to others."""
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        db.execute(_inserting(len(part)), list(chain.from_iterable(part)))


@cache
def _inserting(count: int) -> str:
    return _INSERT + ", ".join([_PLACES] * count)


def _taken(db: sqlite3.Connection, ask: Ask) -> bool:
    """Tell whether an id of a batch is in use; of a single event, inserting tells."""
    if len(ask.events) == 1:
        return False
    ids = {event.event_id for event in ask.events}
    return len(ids) < len(ask.events) or any(_find(db, each) for each in ids)


def _find(db: sqlite3.Connection, event_id: UUID) -> tuple[str, int, int] | None:
    found = db.execute(_BY_ID, (event_id.bytes,)).fetchone()
    return found and (found[0], found[1], found[2])


def _repeat(db: sqlite3.Connection, ask: Ask) -> Appended | None:
    """Return the first answer if exactly these events were appended before."""
    first, last = None, None
    for offset, event in enumerate(ask.events):
        last = _find(db, event.event_id)
        if last is None or last[0] != ask.stream:
            return None
        first = last[1] if first is None else first
        if last[1] != first + offset:
            return None
    return Appended(version=last[1], position=last[2]) if last else None
