"""Read models: SQLAlchemy Core over SQLite or PostgreSQL, and how far each has come.

Whatever is kept here can be dropped and rebuilt from the event store. This module is
the one door to SQLAlchemy in `shared`; it hands on the names others need.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Connection,
    Engine,
    MetaData,
    Select,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateIndex, CreateTable

from shared.errors import Fault
from shared.statements import insert_rows, statement_of

__all__ = [
    "CHECKPOINTS",
    "READERS_ONLY",
    "Connection",
    "Engine",
    "MetaData",
    "ReadModel",
    "ReadModelBroken",
    "ReadModelUnavailable",
    "Table",
    "complete",
    "digest_of",
    "empty",
    "insert_rows",
    "open_readmodel",
]

CHECKPOINTS: Final = Table(
    "checkpoints",
    MetaData(),
    Column("name", String(100), primary_key=True),
    Column("position", BigInteger, nullable=False),
)
_POSITIONS: Final = select(CHECKPOINTS.c.name, CHECKPOINTS.c.position)
READERS_ONLY: Final = {"readers_only": True}
"""`info` of an index that its projection never looks into: a rebuild makes it last."""

BUSY: Final = 10.0  # s to wait for another process's transaction
POLL: Final = 0.05  # s between looks while waiting for another process's follower

_PRAGMAS: Final = (
    "PRAGMA synchronous=NORMAL",  # a power cut loses a tail that is applied again
    "PRAGMA secure_delete=ON",  # erased is erased on disk as well
    "PRAGMA foreign_keys=ON",
)


class ReadModelUnavailable(Fault):
    """The read model's database could not be read or written; nothing was changed."""


class ReadModelBroken(ReadModelUnavailable):
    """The read model's file is not a database, or not as it was written."""


class ReadModel:
    """The database of one service's projections."""

    def __init__(self, engine: Engine) -> None:
        """Use `engine`; opens nothing."""
        self.engine = engine
        self._writing = engine.execution_options(letterlock_writes=True)
        self._moved = threading.Condition()

    def create(self, tables: Iterable[Table]) -> None:
        """Create `tables`, and the table of checkpoints, where absent.

        Indexes that an interrupted rebuild left out are made as well.
        """
        with self.begin() as connection:
            for table in (CHECKPOINTS, *tables):
                table.create(connection, checkfirst=True)
                complete(connection, table)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a writer's transaction: committed at the end, or not at all.

        Raises:
            ReadModelUnavailable: the database failed, or stayed busy for 10 s.
            ReadModelBroken: its file cannot be read at all.
        """
        try:
            with self._writing.begin() as connection:
                yield connection
        except OperationalError as error:
            raise ReadModelUnavailable(str(error.orig)) from error
        except DatabaseError as error:
            self._refuse_junk(error)
            raise
        with self._moved:
            self._moved.notify_all()

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a reader's connection; what it writes is not kept.

        Raises:
            ReadModelUnavailable: the database failed.
            ReadModelBroken: its file cannot be read at all.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except OperationalError as error:
            raise ReadModelUnavailable(str(error.orig)) from error
        except DatabaseError as error:
            self._refuse_junk(error)
            raise

    def fetch(
        self, query: Select[Any], **values: int | str | None
    ) -> Sequence[tuple[Any, ...]]:
        """Return the rows of one query as the driver gives them, truths as 0 and 1.

        For what is asked for all the time: `query` is made once, with a `bindparam` for
        each of `values`; beyond the database it costs next to nothing.

        Raises:
            ReadModelUnavailable: the database failed.
            ReadModelBroken: its file cannot be read at all.
        """
        statement = statement_of(query, self.engine.dialect)
        try:
            with closing(self.engine.raw_connection()) as lent:
                cursor = lent.cursor()
                cursor.execute(statement.text, statement.filled(values))
                return cursor.fetchall()
        except OperationalError as error:
            raise ReadModelUnavailable(str(error.orig)) from error
        except self.engine.dialect.loaded_dbapi.OperationalError as error:
            raise ReadModelUnavailable(str(error)) from error
        except (DatabaseError, self.engine.dialect.loaded_dbapi.DatabaseError) as error:
            self._refuse_junk(error)
            raise

    def _refuse_junk(self, error: Exception) -> None:
        """Raise ReadModelBroken, unless the error is a mistake of ours: a subclass."""
        if type(error).__name__ == "DatabaseError":
            path = self.engine.url.database
            message = (
                f"{path} cannot be read as a database; stop all, and remove {path}*:"
                " a new one fills by itself"
            )
            raise ReadModelBroken(message) from error

    def position(self, name: str) -> int:
        """Return the position up to which `name` has come; 0 if it has not begun."""
        return self._positions().get(name, 0)

    def await_position(self, position: int, *names: str, timeout: float = 2.0) -> bool:
        """Block until all of `names` have come to `position`: read your own writes.

        Queries pass their `after`. False after `timeout` seconds: answer with what
        there is, and say that it is still updating.
        """
        if position <= 0:
            return True
        deadline = time.monotonic() + timeout
        while not self._have_come(position, names):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with self._moved:
                self._moved.wait(min(left, POLL))
        return True

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def _positions(self) -> dict[str, int]:
        """Return every checkpoint there is; a read model has a handful."""
        return dict(self.fetch(_POSITIONS))

    def _have_come(self, position: int, names: Iterable[str]) -> bool:
        positions = self._positions()
        return all(positions.get(name, 0) >= position for name in names)


def position_of(connection: Connection, name: str, *, lock: bool = False) -> int:
    """Return the checkpoint of `name`; with `lock`, held until the transaction ends."""
    query = select(CHECKPOINTS.c.position).where(CHECKPOINTS.c.name == name)
    found = connection.scalar(query.with_for_update() if lock else query)
    return 0 if found is None else int(found)


def set_position(connection: Connection, name: str, position: int) -> None:
    """Set the checkpoint of `name`, in the transaction of what it vouches for."""
    where = CHECKPOINTS.c.name == name
    values = {"position": position}
    if not connection.execute(update(CHECKPOINTS).where(where), values).rowcount:
        connection.execute(insert(CHECKPOINTS), {"name": name, **values})


def empty(connection: Connection, tables: Sequence[Table]) -> None:
    """Drop `tables` and create them, without the indexes that only readers need."""
    for table in reversed(tables):
        table.drop(connection, checkfirst=True)
    for table in tables:
        connection.execute(CreateTable(table))
        for index in table.indexes:
            if not index.info.get("readers_only"):
                index.create(connection)


def complete(connection: Connection, table: Table) -> None:
    """Make the indexes that `empty` left out, where absent: faster than row by row."""
    for index in table.indexes:
        if index.info.get("readers_only"):
            connection.execute(CreateIndex(index, if_not_exists=True))


def open_readmodel(path: Path) -> Engine:
    """Return an engine on the SQLite file at `path`, made (0600) if it is absent.

    Readers never block the writer (WAL). Parameters never appear in error texts.

    Raises:
        ReadModelUnavailable: the file or its folder cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only if it is absent: closing a file that SQLite has open in this process
        # drops its locks, and another process may then delete the log under it.
        with suppress(FileExistsError):
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
            os.close(os.open(path, flags, 0o600))
    except OSError as error:
        message = f"{path.name}: {error.strerror}"
        raise ReadModelUnavailable(message) from error
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY},
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(raw: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        del entry
        raw.isolation_level = None  # transactions are ours to begin, DDL included
        cursor = raw.cursor()
        for pragma in ("PRAGMA journal_mode=WAL", *_PRAGMAS):
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("letterlock_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def digest_of(connection: Connection, tables: Iterable[Table]) -> str:
    """Return the canonical digest of the rows of `tables`: 64 hex digits.

    Equal content gives equal digests, whatever the order of rows and on any database:
    SHA-256 over table names and the sorted SHA-256 of each row's JSON (I6).
    """
    total = hashlib.sha256()
    for table in sorted(tables, key=lambda table: table.name):
        rows = sorted(
            hashlib.sha256(msgspec.json.encode(tuple(row))).digest()
            for row in connection.execute(select(table))
        )
        total.update(f"{table.name} {len(rows)}\n".encode())
        total.update(b"".join(rows))
    return total.hexdigest()
