"""The peers: the disk itself, a bare SQLite insert, and `eventsourcing` on SQLite."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from tests.benchmarks.stock import LIFE

TEXT: Final = "x" * 397  # in their envelope of JSON, that makes a state of 500 bytes
SAVED: Final = 400  # events saved at once while filling
BLOCK: Final = 512  # bytes
WARM: Final = 1_500  # inserts until the log is no longer growing but reused


class Disk:
    """The physical limit: write a block, wait until it is durable."""

    def __init__(self, folder: Path) -> None:
        """Open a new file."""
        self._file = os.open(folder / "disk", os.O_CREAT | os.O_WRONLY, 0o600)
        self._block = os.urandom(BLOCK)

    def write(self, times: int) -> float:
        """Return the seconds that one durable block took."""
        start = time.perf_counter()
        for _ in range(times):
            os.write(self._file, self._block)
            os.fdatasync(self._file)
        return (time.perf_counter() - start) / times

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class BareSqlite:
    """One table, one column, one durable insert: the least that SQLite can do."""

    def __init__(self, folder: Path) -> None:
        """Make the table."""
        self._db = sqlite3.connect(folder / "bare.db", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, body BLOB)")
        self._block = os.urandom(BLOCK)
        self.insert(WARM)

    def insert(self, times: int) -> float:
        """Return the seconds that one durable insert took."""
        start = time.perf_counter()
        for _ in range(times):
            self._db.execute("INSERT INTO t (body) VALUES (?)", (self._block,))
        return (time.perf_counter() - start) / times

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class Note(Aggregate):
    """The peer's aggregate: a text that changes."""

    @event("Made")
    def __init__(self, text: str) -> None:
        """Make a note."""
        self.text = text

    @event("Changed")
    def change(self, text: str) -> None:
        """Change the text."""
        self.text = text


class Life(Aggregate):
    """The peer's envelope: whatever fields its facts have."""

    class Began(Aggregate.Created):
        """The first fact."""

        fields: dict[str, Any]

    class Happened(Aggregate.Event):
        """A later fact."""

        fields: dict[str, Any]

    @classmethod
    def of(cls, facts: Sequence[dict[str, Any]]) -> Life:
        """Return a new aggregate to which `facts` happened."""
        life = cls._create(cls.Began, fields=facts[0])
        for fields in facts[1:]:
            life.trigger_event(cls.Happened, fields=fields)
        return life

    def __init__(self, fields: dict[str, Any]) -> None:
        """Begin."""
        self.fields = fields


class Peer:
    """An `eventsourcing` application as its manual sets it up: SQLite, JSON, open."""

    def __init__(self, folder: Path, *, cached: bool = False) -> None:
        """Open an empty store."""
        self.path = folder / "peer.db"
        self.app: Application[UUID] = Application(
            env={
                "PERSISTENCE_MODULE": "eventsourcing.sqlite",
                "SQLITE_DBNAME": str(self.path),
                "SQLITE_LOCK_TIMEOUT": "60",
                **({"AGGREGATE_CACHE_MAXSIZE": "512"} if cached else {}),
            }
        )
        self._notes: list[Note] = []

    def save(self, times: int, *, of_each: int = 5) -> float:
        """Return the seconds that one `Application.save` of one event took."""
        taken = 0.0
        for _ in range(times):
            if not self._notes or self._notes[-1].version >= of_each:
                self._notes = [Note(TEXT)]
            else:
                self._notes[-1].change(TEXT)
            start = time.perf_counter()
            self.app.save(self._notes[-1])
            taken += time.perf_counter() - start
        return taken / times

    def fill(self, count: int, *, of_each: int = SAVED) -> None:
        """Put `count` events of 500 bytes into the store, quickly."""
        waiting: list[Note] = []
        for start in range(0, count, of_each):
            note = Note(TEXT)
            for _ in range(min(of_each, count - start) - 1):
                note.change(TEXT)
            waiting.append(note)
            if len(waiting) * of_each >= SAVED:
                self.app.save(*waiting)
                waiting.clear()
        self.app.save(*waiting)

    def payload(self) -> int:
        """Return the bytes of all states."""
        with closing(sqlite3.connect(self.path)) as db:
            total: int = db.execute(
                "SELECT sum(length(state)) FROM stored_events"
            ).fetchone()[0]
        return total

    def fill_lives(self, lives: Iterator[Sequence[dict[str, Any]]]) -> None:
        """Put the same lives into the store as ours has, many in one transaction."""
        waiting: list[Life] = []
        for facts in lives:
            waiting.append(Life.of(facts))
            if len(waiting) * LIFE >= SAVED:
                self.app.save(*waiting)
                waiting.clear()
        self.app.save(*waiting)

    def read(self, *, decoded: bool, page: int) -> int:
        """Read everything by `select_notifications`; return how many events it was."""
        recorder, mapper, seen, start = self.app.recorder, self.app.mapper, 0, 1
        while found := recorder.select_notifications(start, page):
            if decoded:
                for each in found:
                    mapper.to_domain_event(each)
            seen += len(found)
            start = found[-1].id + 1
        return seen

    def close(self) -> None:
        """Close the store."""
        self.app.close()
