"""Rows of latency: from an append until a follower has seen it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from typing_extensions import override

from shared.events import Recorded
from shared.eventstore.port import PAGE
from shared.follow import Follower, FollowerThread
from shared.readmodel import (
    Connection,
    ReadModel,
    Table,
    open_readmodel,
    set_position,
)
from tests.benchmarks.lab import MICRO, Lab, Line, Target, percentile
from tests.benchmarks.stock import (
    House,
    a_fact,
    a_house,
    fill,
)

SEEN: Final = "append -> seen by a follower"
POLL: Final = 0.020  # s between the looks of the peer that polls
APPENDS: Final = 150  # of one size, for each of both ways to see them
PATIENCE: Final = 10.0  # s an appended fact may take to be seen


class Watcher:
    """Notes when it saw each position."""

    name = "bench-watch-v1"
    tables: tuple[Table, ...] = ()

    def __init__(self) -> None:
        """Have seen nothing."""
        self._seen: dict[int, float] = {}
        self._moved = threading.Condition()

    def apply(self, connection: Connection, record: Recorded) -> None:
        """As a projection."""
        self.note(record.position)

    def note(self, position: int) -> None:
        """Remember when."""
        now = time.perf_counter()
        with self._moved:
            self._seen[position] = now
            self._moved.notify_all()

    def when(self, position: int) -> float:
        """Return when `position` was seen, waiting for it."""
        with self._moved:
            if not self._moved.wait_for(lambda: position in self._seen, PATIENCE):
                raise TimeoutError(f"position {position} was not seen")
            return self._seen[position]


class Polling(threading.Thread):
    """The peer: looks every 20 ms."""

    def __init__(self, house: House, watcher: Watcher, after: int) -> None:
        """Begin after a position."""
        super().__init__(daemon=True)
        self._house, self._watcher, self._after = house, watcher, after
        self.stopped = threading.Event()

    @override
    def run(self) -> None:
        """Poll until stopped."""
        while not self.stopped.wait(POLL):
            for record in self._house.bare.read_all(self._after, PAGE):
                self._after = record.position
                self._watcher.note(record.position)


def latency(lab: Lab) -> Iterator[Line]:
    """Time from the call of append until a follower has it, beside a 20 ms poll."""
    for size in lab.sizes.events:
        room = lab.room()
        with (
            a_house(room, "thing") as house,
            closing(ReadModel(open_readmodel(room / "watch.db"))) as readmodel,
        ):
            fill(house, size)
            with lab.step(f"{SEEN}, {size:,} events before it"):
                ours, theirs = _watched(house, readmodel, size)
        for name, of in (("median", 0.5), ("p99", 0.99)):
            mine, polled = percentile(ours, of), percentile(theirs, of)
            yield Line(
                row=f"{SEEN}, {name}",
                size=size,
                unit="us",
                ours=mine * MICRO,
                peer="a 20 ms poll",
                theirs=polled * MICRO,
                ratio=mine / polled,
                target=Target(at_most=0.3),
            )


def _watched(
    house: House, readmodel: ReadModel, size: int
) -> tuple[list[float], list[float]]:
    """Return the seconds until each fact was seen: by our follower, by polling."""
    watcher = Watcher()
    readmodel.create(())
    with readmodel.begin() as connection:
        set_position(connection, Watcher.name, size)
    thread = FollowerThread(Follower(house.bare, readmodel, [watcher]))
    thread.start()
    ours = _appended(house, watcher, 0)
    thread.stop()
    watcher = Watcher()
    polling = Polling(house, watcher, size + len(ours))
    polling.start()
    theirs = _appended(house, watcher, 1)
    polling.stopped.set()
    polling.join()
    return ours, theirs


def _appended(house: House, watcher: Watcher, stream: int) -> list[float]:
    took: list[float] = []
    for number in range(APPENDS):
        time.sleep(0.005 + 0.001 * (number * 7 % 20))  # at any phase of the poll
        start = time.perf_counter()
        appended = house.store.append(
            f"thing.seen-{stream}", [a_fact(0)], expected=number - 1
        )
        took.append(watcher.when(appended.position) - start)
    return took
