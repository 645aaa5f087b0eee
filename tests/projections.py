"""A sample projection for tests: the things made, and how often each was seen."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select, update

from shared.events import Recorded
from shared.readmodel import Connection
from tests.facts import ThingMade

THINGS = Table(
    "things",
    MetaData(),
    Column("thing_id", String(32), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
)


class Unlucky(Exception):
    """Told to fail."""


class Things:
    """Counts facts for each thing: counting shows a fact applied twice or never."""

    tables = (THINGS,)

    def __init__(self, name: str = "things-v1", *, fails_on: str = "") -> None:
        self.name = name
        self.fails_on = fails_on

    def apply(self, connection: Connection, record: Recorded) -> None:
        if not isinstance(record.event, ThingMade):
            return
        made = record.event
        if made.thing_id == self.fails_on:
            raise Unlucky
        mine = THINGS.c.thing_id == made.thing_id
        seen = connection.scalar(select(THINGS.c.seen).where(mine))
        if seen is None:
            row = {"thing_id": made.thing_id, "size": made.size, "seen": 1}
            connection.execute(insert(THINGS), row)
        else:
            row = {"size": made.size, "seen": seen + 1}
            connection.execute(update(THINGS).where(mine), row)
