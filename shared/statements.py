"""Statements worked out once and handed to the driver: for what runs all the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Select, Table, insert


@dataclass(frozen=True, slots=True)
class Statement:
    """A query as text of one database, and its parameters in their order."""

    text: str
    names: Sequence[str] | None  # None: the driver wants them by name
    fixed: Mapping[str, Any]

    def filled(self, values: Mapping[str, Any]) -> Any:
        """Return the parameters as the driver wants them; raises KeyError."""
        every = {**self.fixed, **values}
        return every if self.names is None else [every[name] for name in self.names]


@lru_cache(maxsize=256)
def statement_of(query: Select[Any], dialect: Dialect) -> Statement:
    """Return `query` for one database; it is remembered, so make it once."""
    compiled = query.compile(dialect=dialect)
    return Statement(str(compiled), compiled.positiontup, compiled.params)


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows, each the values of all columns in their order, in one statement.

    The values go to the driver as they are: for tables of numbers, text and bytes.
    """
    if connection.dialect.positional:
        connection.exec_driver_sql(_insert(table, connection.dialect), list(rows))
    else:
        names = table.columns.keys()
        named = [dict(zip(names, row, strict=True)) for row in rows]
        connection.execute(insert(table), named)


@lru_cache(maxsize=64)
def _insert(table: Table, dialect: Dialect) -> str:
    return str(insert(table).compile(dialect=dialect))
