"""Building a projection anew from the first fact. Reactions take no part in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from shared.errors import Fault
from shared.eventstore.port import PAGE, EventStore
from shared.fence import Fence
from shared.follow import Projection, apply_all
from shared.following import read_page
from shared.readmodel import ReadModel, complete, empty, set_position

BATCH: Final = PAGE  # facts a transaction; more at once no longer fit the caches

Progress = Callable[[int, int], None]
"""Told the position reached and the last position of the store."""


class RebuildStopped(Fault):
    """A fact could not be applied; the tables hold what came before its batch."""


def rebuild(
    store: EventStore,
    readmodel: ReadModel,
    projection: Projection,
    progress: Progress,
    *,
    lock: Path | None = None,
) -> None:
    """Drop the projection's tables, create them, and replay all facts (I6).

    Interrupted, it may be run again; or the follower goes on from where it stopped.

    Raises:
        AlreadyFollowed: the follower that holds `lock` still runs.
        RebuildStopped: the projection failed; the message names it and the place.
        Fault: store or database failed.
    """
    fence = Fence(lock)
    fence.take()
    try:
        _empty(readmodel, projection)
        _replay(store, readmodel, projection, progress)
        with readmodel.begin() as connection:
            for table in projection.tables:
                complete(connection, table)
    finally:
        fence.release()


def head_of(store: EventStore) -> int:
    """Return the position of the store's last fact, 0 if it has none.

    Cost: two look-ups for each doubling of the number of facts.
    """
    low, high = 0, 1
    while store.wait(high - 1, 0):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if store.wait(middle - 1, 0) else (low, middle)
    return low


def _empty(readmodel: ReadModel, projection: Projection) -> None:
    readmodel.create(())
    with readmodel.begin() as connection:
        empty(connection, projection.tables)
        set_position(connection, projection.name, 0)


def _replay(
    store: EventStore,
    readmodel: ReadModel,
    projection: Projection,
    progress: Progress,
) -> None:
    position, head = 0, head_of(store)
    while records := read_page(store, position, BATCH):
        try:
            with readmodel.begin() as connection:
                apply_all(projection, connection, records)
                position = records[-1].position
                set_position(connection, projection.name, position)
        except Fault:
            raise
        except Exception as error:
            where = f"{records[0].position} to {records[-1].position}"
            message = f"{projection.name}, positions {where}: {type(error).__name__}"
            raise RebuildStopped(message) from error
        progress(position, max(head, position))
