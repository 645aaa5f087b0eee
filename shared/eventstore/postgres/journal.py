"""The journal on a PostgreSQL server: one statement, one round trip an append.

Writers fold as on SQLite: what is queued while a transaction waits for the disk goes
into the next one, and each append keeps its own verdict. Positions are given under a
lock that ends after the commit, so they have no gap and nobody is overtaken.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final, cast

from shared.errors import Fault
from shared.eventstore.folding import Ask
from shared.eventstore.port import (
    NO_STREAM,
    PAGE,
    Appended,
    CorruptRecord,
    RawEvent,
    RawRecord,
    WrongVersion,
)
from shared.eventstore.postgres.address import Address
from shared.eventstore.postgres.gathering import Gathering
from shared.eventstore.postgres.layout import REPEATED, WRITTEN, WRONG_VERSION
from shared.eventstore.postgres.lines import Lines
from shared.eventstore.postgres.watch import Watch
from shared.eventstore.postgres.wire import (
    Parcel,
    int8,
    many,
    number,
    one,
    records,
)

TAKEN: Final = "an event id is already taken by another fact"
PATIENCE: Final = 5.0  # s a call may take, repeats included
_LEAST: Final = 0.5  # s for an append that had to queue for long

_ONE: Final = b"SELECT letterlock.append_one($1, $2, $3, $4, $5, $6, $7, $8)"
_MANY: Final = b"""
    SELECT verdict, version, pos
    FROM letterlock.append($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
_STREAM: Final = b"""
    SELECT event_id, type, schema, body, meta, stream, version, pos, seal
    FROM letterlock.events
    WHERE stream = $1 AND version > $2 ORDER BY version LIMIT $3"""
_ALL: Final = b"""
    SELECT event_id, type, schema, body, meta, stream, version, pos, seal
    FROM letterlock.events
    WHERE pos > $1 ORDER BY pos LIMIT $2"""


class PostgresJournal:
    """Keeps encoded facts on a server; safe for threads, and for many processes."""

    def __init__(self, address: Address, *, patience: float = PATIENCE) -> None:
        """Speak to `address`; connects at the first call, each `patience` s at most."""
        self._patience = patience
        self._lines = Lines(address, patience)
        self._watch = Watch(self._lines)
        self._folding = Gathering(self._write)

    def append(
        self, stream: str, events: Sequence[RawEvent], *, expected: int
    ) -> Appended:
        """As `EventStore.append`; the server's disk holds it before it returns.

        Raises:
            WrongVersion: the stream is not at `expected`. Nothing was written.
            StoreUnavailable: no answer in time. Whether it was written is not known;
                a repeat with the same ids writes it once and returns the answer.
            ValueError: no events, an id that another fact has, or a name that the
                server cannot keep.
        """
        if not events:
            raise ValueError("a batch holds at least one event")
        if len({event.event_id for event in events}) < len(events):
            raise ValueError(TAKEN)
        until = time.monotonic() + self._patience
        return self._folding.submit(Parcel(stream, events, expected, until))

    def read(self, stream: str, *, after: int = NO_STREAM) -> Iterator[RawRecord]:
        """As `EventStore.read`.

        Raises:
            CorruptRecord: a row is not what was written, or one is missing.
            StoreUnavailable: no answer in time.
        """
        while True:
            asked = [stream.encode(), int8(after), int8(PAGE)]
            page = self._page(_STREAM, asked)
            for record in page:
                after += 1
                if record.version != after:
                    message = f"version {after} of {stream} is missing"
                    raise CorruptRecord(message)
                yield record
            if len(page) < PAGE:
                return

    def read_all(self, after: int, limit: int) -> Sequence[RawRecord]:
        """As `EventStore.read_all`; raises as `read`.

        Positions have no gap: they are given under a lock that ends after the commit.
        """
        page = self._page(_ALL, [int8(after), int8(limit)])
        for position, record in enumerate(page, start=after + 1):
            if record.position != position:
                message = f"position {position} is missing"
                raise CorruptRecord(message)
        return page

    def wait(self, after: int, timeout: float) -> bool:
        """As `EventStore.wait`; other processes are noticed at once, or in a second.

        Raises:
            StoreUnavailable: no answer in time.
        """
        return self._watch.wait(after, timeout)

    def close(self) -> None:
        """Finish what was accepted, then hang up."""
        self._folding.close()
        self._watch.close()
        self._lines.close()

    def _page(self, sql: bytes, asked: Sequence[bytes]) -> Sequence[RawRecord]:
        return self._lines.call(
            lambda line, until: records(line.ask(sql, asked, until=until))
        )

    def _write(self, batch: Sequence[Ask]) -> None:
        """Write a batch of appends as one transaction and set their verdicts."""
        parcels = cast("Sequence[Parcel]", batch)  # of `append`
        soonest = min(parcel.until for parcel in parcels)
        until = max(soonest, time.monotonic() + _LEAST)
        try:
            if not (len(parcels) == 1 and self._write_one(parcels[0], until)):
                self._write_many(parcels, until)
        except Fault as fault:
            for parcel in parcels:
                parcel.verdict = type(fault)(str(fault))

    def _write_one(self, parcel: Parcel, until: float) -> bool:
        """Write a single event the short way; tell whether that could be done."""
        if parcel.count > 1:
            return False
        asked = one(parcel)
        found = self._lines.call(
            lambda line, by: line.ask(_ONE, asked, until=by), until
        )
        if position := number(found.get_value(0, 0)):
            parcel.verdict = Appended(
                version=parcel.expected + 1, position=position, fresh=True
            )
            self._watch.reach(position)
        return position > 0

    def _write_many(self, parcels: Sequence[Parcel], until: float) -> None:
        asked = many(parcels)
        found = self._lines.call(
            lambda line, by: line.ask(_MANY, asked, until=by), until
        )
        last = 0
        for row, parcel in enumerate(parcels):
            said, version, position = (
                number(found.get_value(row, column)) for column in range(3)
            )
            parcel.verdict = _verdict(said, version, position)
            last = max(last, position)
        self._watch.reach(last)


def _verdict(said: int, version: int, position: int) -> Appended | Exception:
    if said in {WRITTEN, REPEATED}:
        return Appended(version=version, position=position, fresh=said == WRITTEN)
    return WrongVersion() if said == WRONG_VERSION else ValueError(TAKEN)
