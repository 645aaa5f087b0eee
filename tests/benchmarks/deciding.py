"""Rows of a whole command: load, decide, append."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Final

from shared.clock import SystemClock
from shared.eventstore.port import NO_STREAM
from shared.handling import Aggregates
from shared.ids import mint
from tests.benchmarks.lab import Lab, Line, Target
from tests.benchmarks.peers import TEXT, Note, Peer
from tests.benchmarks.stock import NAME, House, a_fact, a_house, hex_of
from tests.builders import a_context
from tests.facts import ThingNamed

COMMANDS: Final = 5  # commands of a round, on one aggregate
COMMAND: Final = "load, decide, append"


def commands(lab: Lab) -> Iterator[Line]:
    """Carry out whole commands on aggregates that have a history."""
    for length in lab.sizes.history:
        room, other = lab.room(), lab.room()
        with (
            a_house(room, "thing") as house,
            closing(Peer(room)) as peer,
            closing(Peer(other, cached=True)) as cached,
        ):
            with lab.step(f"{COMMAND}, an aggregate of {length:,} events"):
                race = lab.race(
                    _command_on(house, length, kept=True),
                    {
                        "eventsourcing": _command_at(peer, length),
                        "eventsourcing, cached": _command_at(cached, length),
                        "ours, nothing kept": _command_on(house, length, kept=False),
                    },
                )
            target = Target(at_least=2)
            yield race.line(COMMAND, length, "eventsourcing", target)
            yield race.line(COMMAND, length, "eventsourcing, cached")
            yield race.line(COMMAND, length, "ours, nothing kept")


def _command_on(house: House, length: int, *, kept: bool) -> Callable[[], float]:
    def fresh() -> Aggregates[int]:
        return Aggregates(house.store, SystemClock(), 0, lambda state, _: state + 1)

    def decide(state: int, _: object) -> Sequence[ThingNamed]:
        return [ThingNamed(thing_id=f"{state:032x}", contact_id=hex_of(0), name=NAME)]

    def work() -> float:
        stream = f"thing.thing-{mint().hex}"
        facts = [a_fact(0) for _ in range(length)]
        house.store.append(stream, facts, expected=NO_STREAM)
        aggregates = fresh()
        aggregates.load(stream)
        taken = 0.0
        for _ in range(COMMANDS):
            used = aggregates if kept else fresh()
            context = a_context()
            start = time.perf_counter()
            used.run(stream, context, decide)
            taken += time.perf_counter() - start
        return taken / COMMANDS

    return work


def _command_at(peer: Peer, length: int) -> Callable[[], float]:
    def work() -> float:
        note = Note(TEXT)
        for _ in range(length - 1):
            note.change(TEXT)
        peer.app.save(note)
        peer.app.repository.get(note.id)
        start = time.perf_counter()
        for _ in range(COMMANDS):
            found: Note = peer.app.repository.get(note.id)
            found.change(TEXT)
            peer.app.save(found)
        return (time.perf_counter() - start) / COMMANDS

    return work
