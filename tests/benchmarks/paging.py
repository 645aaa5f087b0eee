"""Rows of a message list: a page of a contact's messages, at any size."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, Final

import msgspec
from sqlalchemy import insert

from services.envelope.commands import GetMessages
from services.envelope.queries.lists import MessageLists
from services.envelope.tables import MESSAGES, MESSAGES_NAME
from shared.clock import SystemClock, micros
from shared.crypto.seal import place_of_row
from shared.readmodel import (
    ReadModel,
    open_readmodel,
    set_position,
)
from tests.benchmarks.lab import MICRO, Lab, Line, Target, agree, percentile
from tests.benchmarks.stock import (
    House,
    a_house,
    hex_of,
)
from tests.builders import NOON

MESSAGE_PAGE: Final = "a page of 50 messages"
OF_ONE: Final = 100  # messages of a contact
ASKED: Final = 20  # contacts whose list is asked for


def messages(lab: Lab) -> Iterator[Line]:
    """Ask for a contact's newest 50 messages, beside the statement alone."""
    for size in lab.sizes.rows:
        room = lab.room()
        with (
            a_house(room, "envelope") as house,
            closing(ReadModel(open_readmodel(room / "lists.db"))) as readmodel,
        ):
            with lab.step(f"filling the message list, {size:,} rows"):
                _fill_messages(house, readmodel, size)
            lists = MessageLists(readmodel, house.keyring, SystemClock())
            asked = min(ASKED, size // OF_ONE)
            took: list[float] = []
            with lab.step(f"{MESSAGE_PAGE}, {size:,} rows"):
                race = lab.race(
                    _asking(lists, asked, took),
                    {"the bare SQL": _bare_page(readmodel, asked)},
                )
            line = race.line(MESSAGE_PAGE, size, "the bare SQL", Target(at_most=2))
            yield line
            late = percentile(took, 0.99) * MICRO
            yield Line(
                row=f"{MESSAGE_PAGE}, p99",
                size=size,
                unit="us",
                ours=late,
                peer="2 ms",
                theirs=2_000,
                ratio=late / 2_000,
                target=Target(at_most=1),
            )


def _asking(lists: MessageLists, asked: int, took: list[float]) -> Callable[[], float]:
    def work() -> float:
        start = time.perf_counter()
        for contact in range(asked):
            before = time.perf_counter()
            found = lists.messages(GetMessages(contact_id=hex_of(contact)))
            took.append(time.perf_counter() - before)
            agree(len(found.rows), 50)
        return (time.perf_counter() - start) / asked

    return work


def _bare_page(readmodel: ReadModel, asked: int) -> Callable[[], float]:
    """Return the same rows by the same index, with nothing done to them."""
    sql = (
        "SELECT * FROM envelope_messages WHERE contact_id = ?"
        " ORDER BY position DESC LIMIT 51"
    )
    raw = readmodel.engine.raw_connection()

    def work() -> float:
        cursor = raw.cursor()
        start = time.perf_counter()
        for contact in range(asked):
            cursor.execute(sql, (hex_of(contact),))
            agree(len(cursor.fetchall()), 51)
        return (time.perf_counter() - start) / asked

    return work


def _fill_messages(house: House, readmodel: ReadModel, size: int) -> None:
    """Insert messages of contacts in turn; sealed where they will be asked for."""
    readmodel.create([MESSAGES])
    people, at = size // OF_ONE, micros(NOON)
    filler = os.urandom(180)
    for first in range(0, size, 10_000):
        rows = [
            _message(house, number, number % people, at, filler)
            for number in range(first, min(first + 10_000, size))
        ]
        with readmodel.begin() as connection:
            connection.execute(insert(MESSAGES), rows)
    with readmodel.begin() as connection:
        set_position(connection, MESSAGES_NAME, size)


def _message(
    house: House, number: int, person: int, at: int, filler: bytes
) -> Mapping[str, Any]:
    envelope_id, contact_id = hex_of(number), hex_of(person)
    personal = filler
    if person < ASKED:
        place = place_of_row(MESSAGES.name, envelope_id, "personal")
        plain = msgspec.json.encode(
            {
                "title": "Complaint acknowledged",
                "record": "165100-204817",
                "formal_name": "Mr Tom Jones",
                "sender_name": "Ms Anna Ferris",
            }
        )
        personal = house.keyring.seal_value(contact_id, place, plain)
    return {
        "envelope_id": envelope_id,
        "contact_id": contact_id,
        "position": number + 1,
        "page": "165104",
        "revision": 1,
        "kind": "note",
        "letter_class": "private",
        "purpose": "service",
        "means": "postcode",
        "sender_id": hex_of(number % 50),
        "letter_hash": "a" * 64,
        "rendition": "b" * 64,
        "blob": "c" * 64,
        "personal": personal,
        "accepted_at": at,
        "release_at": at,
        "expires_at": at + number,
        "generation": 1,
        "consigned": True,
        "cancelled": False,
        "disabled": False,
        "expiry_noted": False,
        "erased": False,
        "relayed_at": at,
        "fetched_generation": 0,
        "wrong_answers": 0,
    }
