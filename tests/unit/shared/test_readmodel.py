"""The database of a read model: quick ways in and out of it keep its promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    select,
)

from shared.readmodel import (
    READERS_ONLY,
    ReadModel,
    ReadModelUnavailable,
    empty,
    insert_rows,
    open_readmodel,
    set_position,
)

STONES = Table(
    "stones",
    MetaData(),
    Column("name", String(20), primary_key=True),
    Column("weight", Integer),
    Column("round", Boolean),
    Index("stones_by_weight", "weight", info=READERS_ONLY),
    Index("stones_by_shape", "round"),
)
HEAVY = (
    select(STONES.c.name, STONES.c.round)
    .where(STONES.c.weight >= bindparam("weight"), STONES.c.weight < 100)
    .order_by(STONES.c.name)
    .limit(bindparam("limit"))
)
ROWS = [("a", 3, True), ("b", 5, False), ("c", None, None), ("d", 700, True)]


@pytest.fixture(params=["qmark", "named"])
def readmodel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReadModel]:
    """Over a driver that numbers its parameters, and over one that names them."""
    path = tmp_path / "stones.db"
    if request.param == "qmark":
        opened = ReadModel(open_readmodel(path))
    else:
        opened = ReadModel(create_engine(f"sqlite:///{path}", paramstyle="named"))
    opened.create([STONES])
    yield opened
    opened.close()


def test_rows_go_in_as_tuples_and_come_out_as_the_driver_has_them(
    readmodel: ReadModel,
) -> None:
    with readmodel.begin() as connection:
        insert_rows(connection, STONES, ROWS)
    with readmodel.connect() as connection:
        assert sorted(tuple(row) for row in connection.execute(select(STONES))) == ROWS
    assert readmodel.fetch(HEAVY, weight=4, limit=5) == [("b", 0)]
    assert readmodel.fetch(HEAVY, weight=1, limit=5) == [("a", 1), ("b", 0)]
    assert readmodel.fetch(HEAVY, weight=1, limit=1) == [("a", 1)]
    assert readmodel.fetch(HEAVY, weight=99, limit=5) == []


def test_a_query_sees_what_is_committed_and_nothing_else(readmodel: ReadModel) -> None:
    with readmodel.begin() as connection:
        insert_rows(connection, STONES, ROWS[:1])

    def half() -> None:
        with readmodel.begin() as connection:
            insert_rows(connection, STONES, ROWS[1:])
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert readmodel.fetch(HEAVY, weight=1, limit=5) == [("a", 1)]


def test_a_query_of_a_database_that_fails_is_a_fault(tmp_path: Path) -> None:
    readmodel = ReadModel(open_readmodel(tmp_path / "x.db"))
    with pytest.raises(ReadModelUnavailable, match="no such table"):
        readmodel.fetch(HEAVY, weight=1, limit=1)
    readmodel.close()
    gone = ReadModel(create_engine(f"sqlite:///{tmp_path}/no/such/folder.db"))
    with pytest.raises(ReadModelUnavailable):
        gone.fetch(HEAVY, weight=1, limit=1)


def test_a_position_is_awaited_of_all_names(readmodel: ReadModel) -> None:
    with readmodel.begin() as connection:
        set_position(connection, "one", 7)
        set_position(connection, "two", 5)
    assert readmodel.position("one") == 7
    assert readmodel.position("three") == 0
    assert readmodel.await_position(5, "one", "two", timeout=0)
    assert not readmodel.await_position(6, "one", "two", timeout=0)
    assert not readmodel.await_position(1, "three", timeout=0)


def test_a_position_that_goes_back_is_noticed_at_once(readmodel: ReadModel) -> None:
    with readmodel.begin() as connection:
        set_position(connection, "one", 7)
    assert readmodel.await_position(7, "one", timeout=0)
    with readmodel.begin() as connection:
        set_position(connection, "one", 0)  # as a rebuild elsewhere does
    assert not readmodel.await_position(7, "one", timeout=0)


def test_emptied_tables_get_the_indexes_for_readers_when_they_are_full(
    readmodel: ReadModel,
) -> None:
    with readmodel.begin() as connection:
        insert_rows(connection, STONES, ROWS)
        empty(connection, [STONES])
    assert readmodel.fetch(HEAVY, weight=0, limit=9) == []
    assert _indexes(readmodel) == {"stones_by_shape"}
    readmodel.create([STONES])
    assert _indexes(readmodel) == {"stones_by_shape", "stones_by_weight"}


def _indexes(readmodel: ReadModel) -> set[str]:
    with readmodel.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        )
        return {row[0] for row in found}
