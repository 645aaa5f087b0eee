"""Rows of storage: what an event takes on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final

from shared.eventstore.port import NO_STREAM
from tests.benchmarks.lab import Lab, Line, Target
from tests.benchmarks.peers import Peer
from tests.benchmarks.stock import House, a_fact, a_house, hex_of

BYTES: Final = "bytes stored per event"
STREAM: Final = 5  # events of a stream


def stored(lab: Lab) -> Iterator[Line]:
    """Bytes of the closed file for each byte of payload, in streams of five."""
    for size in lab.sizes.events:
        room = lab.room()
        with lab.step(f"{BYTES}, {size:,} events"):
            with closing(Peer(room)) as peer:
                peer.fill(size, of_each=STREAM)
                their_payload = peer.payload()
            with a_house(room, "thing") as house:
                payload = _append_all(house, size)
        ours = house.path.stat().st_size / payload
        theirs = peer.path.stat().st_size / their_payload
        for name, figure, target in (
            ("its payload: body and meta", 1.0, Target(at_most=1.35)),
            ("eventsourcing, of its state", theirs, Target()),
        ):
            yield Line(
                row=BYTES,
                size=size,
                unit="B/B",
                ours=ours,
                peer=name,
                theirs=figure,
                ratio=ours / figure,
                target=target,
            )


def _append_all(house: House, size: int) -> int:
    """Fill streams of five facts; return the bytes of all bodies and metas."""
    for first in range(0, size, STREAM):
        facts = [a_fact(number) for number in range(first, first + STREAM)]
        stream = f"thing.thing-{hex_of(first)}"
        house.store.append(stream, facts, expected=NO_STREAM)
    total, position = 0, 0
    while page := house.journal.read_all(position, 1_000):
        total += sum(len(each.body) + len(each.meta) for each in page)
        position = page[-1].position
    return total
