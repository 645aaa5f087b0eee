"""Rows of appending: one caller, and 32 callers at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Final

from shared.codec import EventCodec
from shared.events import Sealed
from shared.eventstore.coded import CodedStore
from shared.eventstore.port import EventStore
from tests.benchmarks.lab import Lab, Line, Target, together
from tests.benchmarks.peers import TEXT, BareSqlite, Disk, Note, Peer
from tests.benchmarks.stock import SHARED, House, a_fact, a_house, fill, hex_of

EACH: Final = 40  # operations of a round
OFTEN: Final = 4  # times the usual rounds, as one is soon over
STREAM: Final = 5  # events of a stream
CALLERS: Final = 32
CALLS: Final = 40  # of each caller in a round
SINGLE: Final = "durable append, sealed"
MANY: Final = f"durable append, {CALLERS} callers"


class Appender:
    """Appends facts that were made, and whose keys were minted, beforehand."""

    def __init__(self, house: House, store: EventStore, *, prefix: str = "t") -> None:
        """Append to `store`, to streams of five facts."""
        self._house = house
        self._store = store
        self._prefix = prefix
        self._done = 0

    def work(self) -> float:
        """Return the seconds that one append took."""
        facts = [a_fact(number) for number in range(self._done, self._done + EACH)]
        for number in range(0, EACH, SHARED // 2):
            self._house.keyring.ensure(hex_of((self._done + number) // SHARED))
        self._house.keyring.ensure(hex_of((self._done + EACH - 1) // SHARED))
        taken = 0.0
        for fact in facts:
            stream = f"thing.{self._prefix}-{hex_of(self._done // STREAM)}"
            start = time.perf_counter()
            self._store.append(stream, [fact], expected=self._done % STREAM - 1)
            taken += time.perf_counter() - start
            self._done += 1
        return taken / EACH


def appends(lab: Lab) -> Iterator[Line]:
    """Append durably, one by one, beside the disk, a bare insert and the peer."""
    for size in lab.sizes.events:
        room = lab.room()
        with a_house(room, "thing") as house:
            disk, bare, peer = Disk(room), BareSqlite(room), Peer(room)
            fill(house, size)
            peer.fill(size)
            unsealed = CodedStore(house.journal, EventCodec("thing", Unsealed()))
            with lab.step(f"{SINGLE}, {size:,} events before it"):
                race = lab.race(
                    Appender(house, house.store).work,
                    {
                        "write 512 B + fdatasync": partial(disk.write, EACH),
                        "bare SQLite insert": partial(bare.insert, EACH),
                        "eventsourcing save": partial(peer.save, EACH),
                        "the same, not sealed": Appender(
                            house, unsealed, prefix="u"
                        ).work,
                    },
                    rounds=OFTEN * lab.sizes.rounds,
                )
            least, most = Target(at_least=0.7), Target(at_least=1.4)
            yield race.line(SINGLE, size, "write 512 B + fdatasync", least)
            yield race.line(SINGLE, size, "bare SQLite insert")
            yield race.line(SINGLE, size, "eventsourcing save", most)
            sealing = Target(at_least=0.9)
            yield race.line(SINGLE, size, "the same, not sealed", sealing)
            for opened in (disk, bare, peer):
                opened.close()


class Unsealed:
    """Passes values on as if they were sealed, as long as the real ones."""

    def seal(self, owner: str, place: object, plain: bytes) -> Sealed:
        return Sealed(key_id="00000000", box=plain + bytes(28))

    def unseal(self, owner: str, place: object, sealed: Sealed) -> bytes | None:
        return sealed.box[:-28]


def crowd(lab: Lab) -> Iterator[Line]:
    """32 threads at once, beside one alone and beside the peer, alone and with 32."""
    for size in lab.sizes.events:
        room = lab.room()
        with a_house(room, "thing") as house, closing(Peer(room)) as peer:
            fill(house, size)
            peer.fill(size)
            with lab.step(f"{MANY}, {size:,} events before it"):
                race = lab.race(
                    crowd_of(house, house.store, CALLERS, CALLS),
                    {
                        "our own single append": Appender(house, house.store).work,
                        "eventsourcing save": partial(peer.save, EACH),
                        "eventsourcing, 32 callers": _crowd_at(peer),
                    },
                )
            own, least = Target(at_least=3), Target(at_least=4)
            yield race.line(MANY, size, "our own single append", own)
            yield race.line(MANY, size, "eventsourcing save", least)
            yield race.line(MANY, size, "eventsourcing, 32 callers", least)


def crowd_of(
    house: House, store: EventStore, callers: int, calls: int
) -> Callable[[], float]:
    """Return a work of `callers` at once, `calls` each, on streams of their own."""
    rounds = 0

    def work() -> float:
        nonlocal rounds
        rounds += 1
        first = 10_000_000 + rounds * callers * calls
        facts = [a_fact(first + number) for number in range(callers * calls)]
        for number in range(0, callers * calls + SHARED, SHARED):
            house.keyring.ensure(hex_of((first + number) // SHARED))

        def call(caller: int) -> None:
            own = facts[caller * calls : (caller + 1) * calls]
            for number, fact in enumerate(own):
                stream = f"thing.c{caller}-{rounds}-{number // STREAM}"
                store.append(stream, [fact], expected=number % STREAM - 1)

        return together(callers, call) / (callers * calls)

    return work


def _crowd_at(peer: Peer) -> Callable[[], float]:
    def work() -> float:
        def call(caller: int) -> None:
            note = Note(TEXT)
            for _ in range(CALLS):
                peer.app.save(note)
                note.change(TEXT)

        return together(CALLERS, call) / (CALLERS * CALLS)

    return work
