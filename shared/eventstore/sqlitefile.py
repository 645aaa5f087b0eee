"""The file behind the SQLite journal: its layout, its connections, its faults."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from shared.eventstore.port import CorruptRecord, RawEvent, StoreUnavailable

FORMAT: Final = 1  # user_version of the file
BUSY: Final = 10.0  # s to wait for another process's transaction
_BLANK: Final = hashlib.blake2b(digest_size=8)
_INT64: Final = struct.Struct(">q")
PAGE_BYTES: Final = 8192  # of 4096 a sixth stays empty, as a fact takes about 850

# Streams are interned and ids are raw bytes: an event costs about 60 bytes of its own.
# `seal` is a checksum of the whole row, so that one altered bit is found on reading.
# `pos` needs no AUTOINCREMENT: each is given, and none comes free, as no row ever goes.
_LAYOUT: Final = """
CREATE TABLE IF NOT EXISTS streams (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS events (
    pos INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams (id),
    version INTEGER NOT NULL CHECK (version >= 0),
    event_id BLOB NOT NULL UNIQUE CHECK (length(event_id) = 16),
    type TEXT NOT NULL,
    schema INTEGER NOT NULL,
    body BLOB NOT NULL,
    meta BLOB NOT NULL,
    seal INTEGER NOT NULL,
    UNIQUE (stream, version)
) STRICT;
CREATE TRIGGER IF NOT EXISTS events_never_change BEFORE UPDATE ON events
    BEGIN SELECT raise(ABORT, 'a fact is never changed'); END;
CREATE TRIGGER IF NOT EXISTS events_never_go BEFORE DELETE ON events
    BEGIN SELECT raise(ABORT, 'a fact is never deleted'); END;
CREATE TRIGGER IF NOT EXISTS streams_never_change BEFORE UPDATE ON streams
    BEGIN SELECT raise(ABORT, 'a stream is never renamed'); END;
CREATE TRIGGER IF NOT EXISTS streams_never_go BEFORE DELETE ON streams
    BEGIN SELECT raise(ABORT, 'a stream is never deleted'); END;
"""


def create(path: Path) -> None:
    """Make the file (0600), its folder (0700) and its layout, where absent.

    Processes that open it for the first time at once wait for each other.

    Raises:
        StoreUnavailable: it cannot be made or opened, or is of a newer format.
    """
    with faults_named(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            # Only if it is absent: closing a file that SQLite has open in this process
            # drops its locks, and another process may then delete the log under it.
            with suppress(FileExistsError):
                flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
                os.close(os.open(path, flags, 0o600))
            with closing(connect(path)) as connection:
                _lay_out(connection, path)
            os.fsync(folder)
        finally:
            os.close(folder)


def _lay_out(connection: sqlite3.Connection, path: Path) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > FORMAT:
        message = f"{path} has format {found}; this program knows {FORMAT}"
        raise StoreUnavailable(message)
    if found < FORMAT:
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(
            f"BEGIN IMMEDIATE; {_LAYOUT} PRAGMA user_version={FORMAT}; COMMIT;"
        )


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection that fsyncs each commit and may change threads."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def checksum(event: RawEvent, stream: str, version: int, position: int) -> int:
    """Return the checksum of the row that `event` is to become."""
    return checksum_of(
        event.event_id.bytes,
        event.type_name,
        event.schema,
        event.body,
        event.meta,
        stream,
        version,
        position,
    )


def checksum_of(
    event_id: bytes,
    type_name: str,
    schema: int,
    body: bytes,
    meta: bytes,
    stream: str,
    version: int,
    position: int,
) -> int:
    """Return 64 bits over a row as a signed integer. Finds accidents, not forgers."""
    head = (
        f"{position} {version} {event_id.hex()} {schema} "
        f"{len(body)} {type_name} {stream} "
    )
    digest = _BLANK.copy()  # quicker than a new one
    digest.update(b"".join((head.encode(), body, meta)))
    seal: int = _INT64.unpack(digest.digest())[0]
    return seal


def fault_of(path: Path, error: sqlite3.Error) -> CorruptRecord | StoreUnavailable:
    """Return the port's fault for what SQLite said: damage, or anything else."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    damaged = code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return (CorruptRecord if damaged else StoreUnavailable)(f"{path.name}: {error}")


@contextmanager
def faults_named(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise into the port's faults.

    Raises:
        CorruptRecord: the file's own structure is damaged.
        StoreUnavailable: anything else, e.g. the disk is full.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise fault_of(path, error) from error
    except OSError as error:
        message = f"{path.name}: {error.strerror}"
        raise StoreUnavailable(message) from error


class Readers:
    """Reading connections, as many as read at once; safe for threads."""

    def __init__(self, path: Path) -> None:
        """Open none yet."""
        self._path = path
        self._mutex = threading.Lock()
        self._free: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def borrow(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection to the calling thread.

        Raises:
            StoreUnavailable: closed, or the file cannot be opened.
        """
        connection = self._take()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._mutex:
            keep = not self._closed
            if keep:
                self._free.append(connection)
        if not keep:
            connection.close()

    def close(self) -> None:
        """Close the free ones now, and those on loan as they come back."""
        with self._mutex:
            self._closed = True
            free, self._free = self._free, []
        for connection in free:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._mutex:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            if self._free:
                return self._free.pop()
        with faults_named(self._path):
            connection = connect(self._path)
            connection.execute("PRAGMA query_only=ON")
            return connection
