"""Projections: tables that mirror the facts, each fact exactly once.

They stop at what they cannot digest and say where they stand. Nothing is ever skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from typing_extensions import override

from shared.errors import Fault
from shared.events import Recorded
from shared.eventstore.port import EventStore
from shared.fence import AlreadyFollowed
from shared.following import RETRY, Cursor, Failure, FollowerThread, Runner
from shared.readmodel import (
    Connection,
    ReadModel,
    Table,
    position_of,
    set_position,
)

__all__ = [
    "AlreadyFollowed",
    "Failure",
    "Follower",
    "FollowerThread",
    "Projection",
    "apply_all",
]


class Projection(Protocol):
    """Keeps tables in step with the facts; knows nothing else.

    May also have `apply_many(connection, records)`, which is then used instead of
    `apply`: the same result, in fewer statements.
    """

    @property
    def name(self) -> str:
        """Unique, with its version: another shape is another name, built anew."""
        ...

    @property
    def tables(self) -> Sequence[Table]:
        """The tables it alone writes, in the order they are created."""
        ...

    def apply(self, connection: Connection, record: Recorded) -> None:
        """Fold one fact into the tables; ignore what does not concern them."""
        ...


@runtime_checkable
class _Batching(Protocol):
    def apply_many(self, connection: Connection, records: Sequence[Recorded]) -> None:
        """As `Projection.apply`, for several facts in order."""
        ...


class Follower(Runner[Projection]):
    """Runs the projections of one read model, each fact exactly once (I5).

    What a projection writes and its checkpoint are one transaction. A second follower
    is kept out by `lock`, and would do no harm: the checkpoint is read again under the
    transaction's own lock.
    """

    def __init__(
        self,
        store: EventStore,
        readmodel: ReadModel,
        projections: Sequence[Projection],
        *,
        lock: Path | None = None,
    ) -> None:
        """Follow `store`; opens nothing."""
        super().__init__(store, readmodel, projections, lock)

    @override
    def _tables(self) -> Sequence[Table]:
        return [table for c in self._cursors for table in c.work.tables]

    @override
    def _feed(self, cursor: Cursor[Projection], records: Sequence[Recorded]) -> None:
        try:
            self._apply(cursor, records)
        except Fault as fault:
            cursor.stop(cursor.position + 1, fault, rest=RETRY)
        except Exception:  # noqa: BLE001  # looked at again, one by one
            self._creep(cursor, records)

    def _creep(self, cursor: Cursor[Projection], records: Sequence[Recorded]) -> None:
        """Go on to the very fact that cannot be applied, and name it."""
        for record in records:
            try:
                self._apply(cursor, [record])
            except Exception as error:  # noqa: BLE001  # reported, never skipped
                cursor.stop(record.position, error, rest=RETRY)
                return

    def _apply(self, cursor: Cursor[Projection], records: Sequence[Recorded]) -> None:
        with self._readmodel.begin() as connection:
            position = position_of(connection, cursor.work.name, lock=True)
            if position == cursor.position:
                apply_all(cursor.work, connection, records)
                position = records[-1].position
                set_position(connection, cursor.work.name, position)
        cursor.reach(position)  # elsewhere, if somebody else moved it: read from there


def apply_all(
    projection: Projection, connection: Connection, records: Sequence[Recorded]
) -> None:
    """Fold facts into a projection, many at a time if it can."""
    if isinstance(projection, _Batching):
        projection.apply_many(connection, records)
    else:
        for record in records:
            projection.apply(connection, record)
