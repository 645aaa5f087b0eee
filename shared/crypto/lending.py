"""A connection for one use; a class, as a generator costs as much as a look-up."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from types import TracebackType

from shared.errors import Fault


class Loan:
    """Lends a connection from a pool without a lock; closes it if its use failed."""

    __slots__ = ("_db", "_fault_of", "_idle", "_new")

    def __init__(
        self,
        idle: deque[sqlite3.Connection],
        new: Callable[[], sqlite3.Connection],
        fault_of: Callable[[sqlite3.DatabaseError], Fault],
    ) -> None:
        """Take from `idle`, else `new`; what SQLite raises becomes `fault_of` it."""
        self._idle = idle
        self._new = new
        self._fault_of = fault_of

    def __enter__(self) -> sqlite3.Connection:
        """Return the connection; raises as `fault_of` says."""
        try:
            self._db = self._idle.pop()
        except IndexError:
            try:
                self._db = self._new()
            except sqlite3.DatabaseError as error:
                raise self._fault_of(error) from error
        return self._db

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put it back, or close it; raises as `fault_of` says."""
        if error is None:
            self._idle.append(self._db)
            return
        self._db.close()
        if isinstance(error, sqlite3.DatabaseError):
            raise self._fault_of(error) from error
