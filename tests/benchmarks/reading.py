"""Rows of reading: all events decoded, and the trail rebuilt from them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, Final

import msgspec

from services.audit.projections import TrailProjection
from services.audit.tables import TRAIL
from shared.eventstore.port import PAGE
from shared.readmodel import (
    ReadModel,
    open_readmodel,
    set_position,
)
from shared.rebuild import rebuild
from tests.benchmarks.lab import Lab, Line, Target, agree
from tests.benchmarks.peers import Peer
from tests.benchmarks.stock import (
    LIFE,
    House,
    a_house,
    fill_lives,
)

ALL: Final = "read all, decoded"
REBUILD: Final = "rebuild the audit trail"
LARGE: Final = 100_000  # events from which on
LONG: Final = 3  # rounds are enough
SINGLES: Final = 500  # facts applied with a commit each, in a round


def everything(lab: Lab) -> Iterator[Line]:
    """Read, rebuild and commit one by one, over the same lives of envelopes."""
    for size in lab.sizes.events:
        room = lab.room()
        with a_house(room, "envelope") as house, closing(Peer(room)) as peer:
            with lab.step(f"filling both stores, {size:,} events"):
                fill_lives(house, size)
                peer.fill_lives(_bodies(house))
            count = size // LIFE * LIFE
            read = _read_all(house, count)
            peers = {
                "eventsourcing, decoded": _read_peer(peer, count, decoded=True),
                "eventsourcing, undecoded": _read_peer(peer, count, decoded=False),
            }
            rounds = LONG if size >= LARGE else None
            with lab.step(f"{ALL}, {size:,} events"):
                race = lab.race(read, peers, rounds=rounds)
            yield race.line(ALL, size, "eventsourcing, decoded", Target(at_least=2))
            yield race.line(ALL, size, "eventsourcing, undecoded")
            with (
                lab.step(f"{REBUILD}, {size:,} events"),
                closing(ReadModel(open_readmodel(room / "trail.db"))) as readmodel,
                closing(ReadModel(open_readmodel(room / "single.db"))) as single,
            ):
                race = lab.race(
                    _rebuild(house, readmodel, count),
                    {"commit per event": _one_by_one(house, single), **peers},
                    rounds=rounds,
                )
            yield race.line(REBUILD, size, "commit per event", Target(at_least=25))
            merely = Target(at_least=0.5)
            yield race.line(REBUILD, size, "eventsourcing, decoded", merely)
            yield race.line(REBUILD, size, "eventsourcing, undecoded")


def _bodies(house: House) -> Iterator[Sequence[dict[str, Any]]]:
    """Yield the fields of each life as they are stored."""
    position, life = 0, list[dict[str, Any]]()
    while page := house.journal.read_all(position, PAGE):
        for record in page:
            if record.version == 0 and life:
                yield life
                life = []
            life.append(msgspec.json.decode(record.body))
        position = page[-1].position
    yield life


def _read_all(house: House, count: int) -> Callable[[], float]:
    def work() -> float:
        start, position = time.perf_counter(), 0
        while page := house.bare.read_all(position, PAGE):
            position = page[-1].position
        agree(position, count)
        return (time.perf_counter() - start) / count

    return work


def _read_peer(peer: Peer, count: int, *, decoded: bool) -> Callable[[], float]:
    def work() -> float:
        start = time.perf_counter()
        agree(peer.read(decoded=decoded, page=PAGE), count)
        return (time.perf_counter() - start) / count

    return work


def _rebuild(house: House, readmodel: ReadModel, count: int) -> Callable[[], float]:
    def work() -> float:
        start = time.perf_counter()
        rebuild(house.bare, readmodel, TrailProjection(), lambda _at, _end: None)
        taken = (time.perf_counter() - start) / count
        agree(readmodel.position(TrailProjection.name), count)
        return taken

    return work


def _one_by_one(house: House, readmodel: ReadModel) -> Callable[[], float]:
    trail = TrailProjection()

    def work() -> float:
        readmodel.create(trail.tables)
        with readmodel.begin() as connection:
            connection.execute(TRAIL.delete())
        page = house.bare.read_all(0, SINGLES)
        start = time.perf_counter()
        for record in page:
            with readmodel.begin() as connection:
                trail.apply(connection, record)
                set_position(connection, trail.name, record.position)
        return (time.perf_counter() - start) / len(page)

    return work
