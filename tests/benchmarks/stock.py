"""What is measured with: a store sealed by a real keyring, and lives of envelopes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from services.envelope.events import (
    EnvelopeRelayed,
    EnvelopeSent,
    EnvelopeViewed,
    LetterConsigned,
    LetterShown,
    LinkFetched,
    RelayAttempted,
)
from shared.codec import EventCodec
from shared.crypto.kek import Keks, create_kek
from shared.crypto.keyring import Keyring
from shared.crypto.tombstones import Tombstones
from shared.events import Event, NewEvent
from shared.eventstore.coded import CodedStore
from shared.eventstore.port import NO_STREAM, RawEvent
from shared.eventstore.sqlite import SqliteJournal
from tests.builders import NOON, a_context, new, raw
from tests.facts import ThingNamed

PAYLOAD: Final = 500  # bytes of one stored event's body
NAME: Final = "x" * 236  # sealed and with its ids, that makes a body of 500 bytes
LIFE: Final = 8  # events of one envelope
BATCH: Final = 400  # events of one append while filling
SHARED: Final = 50  # events of one contact


@dataclass(frozen=True, slots=True)
class House:
    """One service's store and keys, on this disk."""

    journal: SqliteJournal
    keyring: Keyring
    store: CodedStore  # opens and seals
    bare: CodedStore  # as audit sees it: what is private stays sealed
    path: Path


@contextmanager
def a_house(folder: Path, service: str) -> Iterator[House]:
    """Open an empty store and a keyring with a fresh key."""
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    create_kek(keys)
    keks = Keks(keys)
    tombstones = Tombstones(folder / "tombstones", keks)
    tombstones.create()
    keyring = Keyring(service, folder / "keys.db", keks=keks, tombstones=tombstones)
    journal = SqliteJournal(folder / "store.db")
    try:
        yield House(
            journal,
            keyring,
            CodedStore(journal, EventCodec(service, keyring)),
            CodedStore(journal, EventCodec("none")),
            folder / "store.db",
        )
    finally:
        journal.close()
        keyring.close()


def hex_of(number: int) -> str:
    """Return an id as people and envelopes have them: 32 hex digits, scattered."""
    return hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()


def a_fact(number: int) -> NewEvent:
    """Return a fact with a body of 500 bytes once it is sealed."""
    event = ThingNamed(
        thing_id=hex_of(number), contact_id=hex_of(number // SHARED), name=NAME
    )
    return new(event, context=a_context())


def a_life(envelope: int) -> list[NewEvent]:
    """Return what happens to one envelope: 8 facts, one of them sealed."""
    envelope_id, contact_id = hex_of(envelope), hex_of(envelope // 10)
    ids: dict[str, Any] = {"envelope_id": envelope_id, "contact_id": contact_id}
    relay: dict[str, Any] = {**ids, "generation": 1, "attempt": 1}
    shown: dict[str, Any] = {**ids, "grade": 3, "means": "postcode"}
    facts: list[Event] = [
        EnvelopeSent(
            **ids,
            page="165104",
            revision=3,
            letter_hash="a" * 64,
            kind="note",
            letter_class="private",
            purpose="service",
            check="postcode",
            blob=hashlib.sha256(envelope_id.encode()).hexdigest(),
            rendition="c" * 64,
            identity="d" * 172,
            link_hash="e" * 64,
            choices_hash="f" * 64,
            title="Complaint acknowledged",
            record="165100-204817",
            formal_name="Mr Tom Jones",
            family="Jones",
            email="tom.jones@people.example",
            sender_name="Ms Anna Ferris",
            approved_at=NOON,
            expires_at=NOON + timedelta(days=7),
            release_at=NOON + timedelta(seconds=10),
        ),
        LetterConsigned(**ids),
        RelayAttempted(**relay, permit=1, repeat=False),
        EnvelopeRelayed(**relay, reply_code=250, tls=True),
        LinkFetched(**ids, generation=1),
        EnvelopeViewed(**shown),
        LetterShown(**shown),
        LetterShown(**shown),
    ]
    context = a_context()
    return [new(fact, context=context) for fact in facts]


def fill(house: House, count: int, *, first: int = 0) -> None:
    """Put `count` small facts into the store, quickly: they only make it large."""
    for start in range(first, first + count, BATCH):
        events: list[RawEvent] = [
            raw(size=PAYLOAD) for _ in range(min(BATCH, first + count - start))
        ]
        house.journal.append(f"thing.filler-{start}", events, expected=NO_STREAM)


def fill_lives(house: House, count: int) -> None:
    """Put the lives of `count // 8` envelopes into the store, sealed."""
    for envelope in range(count // LIFE):
        house.store.append(
            f"envelope.envelope-{hex_of(envelope)}",
            a_life(envelope),
            expected=NO_STREAM,
        )
