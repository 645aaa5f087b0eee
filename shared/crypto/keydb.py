"""The table of wrapped data keys of one service, in its own SQLite file.

Rows are only ever appended, and a destroyed key is overwritten in place by zeros of the
same length, so SQLite never copies a wrapped key to a page where it could stay behind.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from shared.crypto.kek import refuse_unsafe
from shared.crypto.lending import Loan
from shared.crypto.seal import KEY_BYTES, OVERHEAD
from shared.errors import Fault
from shared.eventstore.port import CorruptRecord

WRAPPED_BYTES: Final = KEY_BYTES + OVERHEAD
TOMBSTONE: Final = bytes(WRAPPED_BYTES)
PATIENCE: Final = 5.0  # seconds to wait for another process's write or read
_PAUSE: Final = 0.01  # seconds between tries

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS data_key (
    row INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    generation INTEGER NOT NULL,  -- from 1 for each owner
    key_id TEXT NOT NULL,         -- 8 hex digits, random
    kek INTEGER NOT NULL,         -- version of the key that wraps it
    wrapped BLOB NOT NULL,        -- 60 bytes; all zero = destroyed
    UNIQUE (owner, generation)
)
"""
_LIVE: Final = f"wrapped != x'{TOMBSTONE.hex()}'"
_BY_KEK: Final = (
    f"CREATE INDEX IF NOT EXISTS data_key_by_kek ON data_key (kek) WHERE {_LIVE}"
)
_COLUMNS: Final = "SELECT owner, generation, key_id, kek, wrapped FROM data_key "
_NEWEST: Final = _COLUMNS + "WHERE owner = ? ORDER BY generation DESC LIMIT 1"
_UNDER: Final = f"INDEXED BY data_key_by_kek WHERE {_LIVE} AND kek "
_NEXT_KEK: Final = f"{_COLUMNS}{_UNDER} > ? ORDER BY kek LIMIT 1"
_ENDS: Final = [
    f"{_COLUMNS}{_UNDER} = ? ORDER BY row {end} LIMIT ?" for end in ("ASC", "DESC")
]


class KeysUnavailable(Fault):
    """The key database could not be read or written; nothing was changed."""


class KeyRow(NamedTuple):
    """A data key as stored: who it is for, and its wrapped bytes."""

    owner: str
    generation: int
    key_id: str
    kek: int
    wrapped: bytes

    @property
    def destroyed(self) -> bool:
        """Say whether this is a tombstone."""
        return self.wrapped == TOMBSTONE


class KeyTable:
    """Reads and writes key rows. Thread-safe; other processes may do the same.

    Connections come from a pool. Under eventlet its lock is green, as the journal's.
    """

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        """Remember the path; open nothing yet. `patience` is in seconds."""
        self._path = path
        self._patience = patience
        self._idle: deque[sqlite3.Connection] = deque()
        self._turn = threading.Lock()  # a crowd that looks up at once only gets slower

    def newest(self, owner: str) -> KeyRow | None:
        """Return the owner's newest row, a tombstone included. About 6 microseconds."""
        with self._turn, self._lent() as db:
            found = db.execute(_NEWEST, (owner,)).fetchone()
        return KeyRow._make(found) if found else None

    def newest_of(self, owners: Collection[str]) -> list[KeyRow]:
        """Return the newest row of each owner that has one, all as at one moment."""
        sql = (
            "SELECT owner, generation, key_id, kek, wrapped FROM data_key d"
            " WHERE owner IN (SELECT value FROM json_each(?)) AND generation ="
            " (SELECT max(generation) FROM data_key WHERE owner = d.owner)"
        )
        with self._lent() as db:
            found = db.execute(sql, (json.dumps(list(owners)),)).fetchall()
        return [KeyRow(*row) for row in found]

    def all_of(self, owner: str) -> list[KeyRow]:
        """Return every row of the owner, oldest generation first."""
        sql = _COLUMNS + "WHERE owner = ? ORDER BY generation"
        with self._lent() as db:
            return [KeyRow(*found) for found in db.execute(sql, (owner,)).fetchall()]

    def pages(self, size: int) -> Iterator[list[KeyRow]]:
        """Yield all rows, oldest first, `size` at a time; nothing is held between."""
        sql = (
            "SELECT row, owner, generation, key_id, kek, wrapped FROM data_key"
            " WHERE row > ? ORDER BY row LIMIT ?"
        )
        last = 0
        while True:
            with self._lent() as db:
                found = db.execute(sql, (last, size)).fetchall()
            if not found:
                return
            yield [KeyRow(*columns) for _, *columns in found]
            last = found[-1][0]

    def samples(self, size: int) -> Iterator[list[KeyRow]]:
        """Yield the oldest keys under each key-encryption key in use, then the newest.

        At most `size` each time, no destroyed ones. Costs three look-ups for each
        key-encryption key, however many rows there are.
        """
        kek = -1
        while True:
            with self._lent() as db:
                first = db.execute(_NEXT_KEK, (kek,)).fetchone()
                if first is None:
                    return
                kek = KeyRow(*first).kek
                found = [db.execute(sql, (kek, size)).fetchall() for sql in _ENDS]
            yield from ([KeyRow(*row) for row in end] for end in found if end)

    def add(self, row: KeyRow) -> None:
        """Write `row` durably, unless the owner has that generation or was erased."""
        sql = (
            "INSERT OR IGNORE INTO data_key (owner, generation, key_id, kek, wrapped)"
            " SELECT ?, ?, ?, ?, ? WHERE NOT EXISTS"
            " (SELECT 1 FROM data_key WHERE owner = ? AND wrapped = ?)"
        )
        values = (row.owner, row.generation, row.key_id, row.kek, row.wrapped)
        with self._lent() as db:
            db.execute(sql, (*values, row.owner, TOMBSTONE))

    def rewrap(self, rows: list[tuple[KeyRow, KeyRow]]) -> int:
        """Exchange the first row of each pair for the second, in one transaction.

        A row that is no longer as read (destroyed meanwhile) stays. Returns how many
        were exchanged.
        """
        sql = (
            "UPDATE data_key SET kek = ?, wrapped = ?"
            " WHERE owner = ? AND generation = ? AND wrapped = ?"
        )
        with self._lent() as db, _transaction(db):
            return sum(
                db.execute(
                    sql,
                    (new.kek, new.wrapped, old.owner, old.generation, old.wrapped),
                ).rowcount
                for old, new in rows
            )

    def bury(self, owner: str, key_id: str) -> bool:
        """Overwrite every key of the owner by zeros, durably; False if already so.

        An owner who never had a key gets a tombstone named `key_id`.
        """
        with self._lent() as db, _transaction(db):
            changed = db.execute(
                "UPDATE data_key SET wrapped = ? WHERE owner = ? AND wrapped != ?",
                (TOMBSTONE, owner, TOMBSTONE),
            ).rowcount
            added = db.execute(
                "INSERT INTO data_key (owner, generation, key_id, kek, wrapped)"
                " SELECT ?, 1, ?, 0, ?"
                " WHERE NOT EXISTS (SELECT 1 FROM data_key WHERE owner = ?)",
                (owner, key_id, TOMBSTONE, owner),
            ).rowcount
        return bool(changed or added)

    def empty_log(self) -> None:
        """Move everything into the database file and cut the write-ahead log to zero.

        Raises:
            KeysUnavailable: another process kept reading all the time. Ask
                again: until then old key bytes may lie in the log.
        """
        end = time.monotonic() + self._patience
        with self._lent() as db:
            # SQLite does not wait for another process that does the same
            while db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() >= end:
                    message = f"{self._path}: in use, its log could not be emptied"
                    raise KeysUnavailable(message)
                time.sleep(_PAUSE)

    def flaws(self) -> list[str]:
        """Return what SQLite's own check of the file finds; nothing if it is sound."""
        with self._lent() as db:
            found = [str(row[0]) for row in db.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """Close the connections that nobody is using."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _lent(self) -> Loan:
        return Loan(self._idle, self._open, self._fault_of)

    def _fault_of(self, error: sqlite3.DatabaseError) -> Fault:
        operational = isinstance(error, sqlite3.OperationalError)
        cls = KeysUnavailable if operational else CorruptRecord
        return cls(f"{self._path}: {error}")

    def _open(self) -> sqlite3.Connection:
        try:
            # Only if it is absent: closing a file that SQLite has open in this process
            # drops its locks, and another process may then delete the log under it.
            with suppress(FileExistsError):
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
                os.close(os.open(self._path, flags, 0o600))
            refuse_unsafe(self._path, self._path.stat())
        except OSError as error:
            message = f"{self._path}: {error.strerror}"
            raise KeysUnavailable(message) from error
        db = sqlite3.connect(
            self._path,
            timeout=self._patience,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _prepare(db, self._patience)
        except BaseException:
            db.close()
            raise
        return db


def _prepare(db: sqlite3.Connection, patience: float) -> None:
    end = time.monotonic() + patience
    while True:  # SQLite does not wait for another process that turns to WAL as well
        try:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(_SCHEMA)
            db.execute(_BY_KEK)
        except sqlite3.OperationalError:
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE)
        else:
            return


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # a full disk has rolled back already
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
