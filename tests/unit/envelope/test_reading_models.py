"""Lists and look-up tables: rebuilt the same, and nothing personal in plain words."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from services.envelope.commands import (
    GetAttention,
    GetChoices,
    GetMessage,
    GetMessages,
    GetRecentPages,
    SetChoice,
)
from services.envelope.errors import EnvelopeUnknown
from services.envelope.events import EnvelopeExpired
from services.envelope.handlers.streams import stream_of
from services.envelope.tables import MESSAGES
from shared.clock import from_micros
from shared.refusals import ContactKeysDestroyed
from tests.builders import NOON, a_context
from tests.unit.envelope.world import (
    ANNA,
    EDITH,
    RECORD,
    TITLE,
    TOM,
    UNDO,
    World,
    a_reader,
)


def status(world: World, envelope_id: str) -> str:
    world.catch_up()
    request = GetMessage(envelope_id=envelope_id)
    return world.api.message(request, a_context()).row.status


def test_a_list_is_newest_first_and_pages_on(world: World) -> None:
    sent = [world.send(record=None) for _ in range(5)]
    world.send(contact_id=EDITH)
    first = world.api.messages(GetMessages(contact_id=TOM, limit=3), a_context())
    assert [row.envelope_id for row in first.rows] == [
        one.envelope_id for one in sent[:1:-1]
    ]
    assert first.more
    rest = world.api.messages(
        GetMessages(contact_id=TOM, limit=3, before=first.rows[-1].position),
        a_context(),
    )
    assert [row.envelope_id for row in rest.rows] == [
        one.envelope_id for one in sent[1::-1]
    ]
    assert not rest.more


def test_a_list_says_that_it_is_still_updating(world: World) -> None:
    sent = world.send()
    answer = world.api.messages(
        GetMessages(contact_id=TOM, after=sent.position), a_context()
    )
    assert answer.fresh
    late = world.api.messages(
        GetMessages(contact_id=TOM, after=sent.position + 99), a_context()
    )
    assert not late.fresh


def test_every_message_tells_how_far_it_came(world: World) -> None:
    read, unread = world.send(), world.send()
    assert status(world, read.envelope_id) == "accepted"
    world.clock.move(UNDO)
    world.post()
    assert status(world, read.envelope_id) == "sent"
    world.open(read.envelope_id)
    assert status(world, read.envelope_id) == "viewed"
    world.clock.move(timedelta(days=7))
    assert status(world, read.envelope_id) == "expired"
    assert status(world, unread.envelope_id) == "lapsed_unread"
    world.forget(TOM)
    assert status(world, read.envelope_id) == "erased"


@given(at=st.integers(-(2**32) * 10**6, 2**32 * 10**6))
def test_a_time_read_from_seconds_is_exact_to_the_microsecond(at: int) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        [seconds] = db.execute("SELECT ? / (? + 0.0)", (at, 1e6)).fetchone()
    assert msgspec.convert(seconds, datetime, strict=False) == from_micros(at)


def test_what_lapses_within_a_day_needs_attention(world: World) -> None:
    sent, read = world.sent_and_posted(), world.sent_and_posted()
    world.open(read.envelope_id)
    world.catch_up()
    assert world.api.attention(GetAttention(), a_context()).rows == ()
    world.clock.move(timedelta(days=6, hours=1))
    [row] = world.api.attention(GetAttention(), a_context()).rows
    assert row.envelope_id == sent.envelope_id


def test_the_pages_somebody_sent_last_are_offered(world: World) -> None:
    world.send()
    world.send()
    actor = a_context().actor_id
    pages = world.api.recent_pages(GetRecentPages(actor_id=actor), a_context())
    assert pages == ("100001",)
    other = GetRecentPages(actor_id="9" * 32)
    assert world.api.recent_pages(other, a_context()) == ()


def test_an_unknown_message_is_unknown(world: World) -> None:
    with pytest.raises(EnvelopeUnknown):
        world.api.message(GetMessage(envelope_id="f" * 32), a_context())


def test_the_end_of_a_life_is_recorded_once(world: World) -> None:
    read, unread = world.sent_and_posted(), world.sent_and_posted()
    world.open(read.envelope_id)
    world.clock.move(timedelta(days=7))
    world.catch_up()
    assert world.parts.expirer.run_once() == 2
    assert world.parts.expirer.run_once() == 0
    world.catch_up()
    assert world.parts.expirer.run_once() == 0
    for sent, viewed, etsi in (
        (read, True, None),
        (unread, False, "ContentHandoverFailure"),
    ):
        *_, last = world.store.read(stream_of(sent.envelope_id))
        assert isinstance(last.event, EnvelopeExpired)
        assert last.event.viewed is viewed
        assert last.meta.etsi == etsi


def test_a_rebuilt_list_equals_the_live_one(world: World) -> None:
    sent = world.sent_and_posted()
    world.open(sent.envelope_id)
    world.send(contact_id=EDITH)
    world.forget(EDITH)
    world.catch_up()

    def everything() -> list[object]:
        return [
            world.api.messages(GetMessages(contact_id=contact), a_context())
            for contact in (TOM, EDITH)
        ]

    live = everything()
    with world.readmodel.begin() as connection:
        for projection in world.parts.projections:
            for table in projection.tables:
                table.drop(connection)
        connection.exec_driver_sql("DELETE FROM checkpoints")
    world.restart()
    world.catch_up()
    assert everything() == live


def test_an_erased_person_leaves_times_and_no_words(world: World) -> None:
    sent = world.sent_and_posted()
    world.open(sent.envelope_id)
    assert list(world.blobs.names())
    world.forget(TOM)
    world.forget(TOM)
    assert list(world.blobs.names()) == []
    assert world.keyring.is_destroyed(TOM)
    [destroyed] = world.store.read(f"envelope.keys-{TOM}")
    assert destroyed.event == ContactKeysDestroyed(contact_id=TOM, service="envelope")
    row = world.api.message(GetMessage(envelope_id=sent.envelope_id), a_context()).row
    assert (row.title, row.formal_name, row.record, row.sender_name) == ("",) * 4
    assert row.viewed_at is not None
    with world.readmodel.connect() as connection:
        assert connection.scalar(select(MESSAGES.c.personal)) is None


def test_a_sending_that_an_erasure_overtakes_leaves_nothing_to_read(
    world: World,
) -> None:
    sent = world.send()
    world.forget(TOM)
    world.clock.move(UNDO)
    world.post()
    assert world.relay.taken == []
    assert status(world, sent.envelope_id) == "erased"


def test_choices_work_by_their_link_for_ever(world: World) -> None:
    sent = world.sent_and_posted()
    token = world.links.token(sent.envelope_id, 1, "choices")
    world.clock.move(timedelta(days=900))
    found = world.api.choices(GetChoices(token=token), a_reader())
    assert (found.state, found.stops) == ("open", ())
    assert found.masked_email == "t•••@canary-mail.example"
    world.api.choose(SetChoice(token=token, stop="all", stopped=True), a_reader())
    assert world.api.choices(GetChoices(token=token), a_reader()).stops == ("all",)
    letter = world.token(sent.envelope_id)
    assert world.api.choices(GetChoices(token=letter), a_reader()).state == "unknown"
    with pytest.raises(EnvelopeUnknown):
        world.api.choose(SetChoice(token=letter, stop="all", stopped=False), a_reader())
    world.forget(TOM)
    assert world.api.choices(GetChoices(token=token), a_reader()).state == "unknown"
    with pytest.raises(EnvelopeUnknown):
        world.api.choose(SetChoice(token=token, stop="all", stopped=False), a_reader())


CANARIES = [TITLE, "canary-body", "canary-mail", RECORD, "Tom Jones", ANNA, "ZZ1 1AA"]


def forms(word: str) -> set[bytes]:
    """Return the shapes in which a word could lie about (S32)."""
    plain = word.encode()
    shapes = {
        plain,
        plain.hex().encode(),
        quote(word).encode(),
        word.encode("utf-16-le"),
        plain.swapcase(),
    }
    for shift in range(3):  # base64 of the word at any offset, whole groups only
        whole = (shift + len(plain)) // 3 * 4
        shapes.add(base64.b64encode(b"x" * shift + plain)[4 if shift else 0 : whole])
    return {shape for shape in shapes if len(shape) > 6}


def test_nothing_personal_lies_about_in_plain(world: World) -> None:
    sent = world.sent_and_posted()
    world.read(world.open(sent.envelope_id))
    token = world.token(sent.envelope_id)
    world.catch_up()
    with world.readmodel.begin() as connection:
        connection.exec_driver_sql("PRAGMA user_version=1")
    everything = b"".join(
        [
            *(path.read_bytes() for path in world.folder.rglob("*") if path.is_file()),
            *(world.blobs.get(name) for name in world.blobs.names()),
            *(raw.body + raw.meta for raw in world.journal.read_all(0, 1000)),
        ]
    )
    assert sent.envelope_id.encode() in everything
    for word in (*CANARIES, token):
        for shape in forms(word):
            assert shape not in everything, f"{word} as {shape!r}"


def test_times_of_a_message_are_those_of_its_facts(world: World) -> None:
    sent = world.sent_and_posted()
    world.clock.move(timedelta(hours=2))
    world.open(sent.envelope_id)
    world.catch_up()
    row = world.api.message(GetMessage(envelope_id=sent.envelope_id), a_context()).row
    assert row.accepted_at == NOON
    assert row.relayed_at == NOON + UNDO
    assert row.viewed_at == NOON + UNDO + timedelta(hours=2)
    assert row.fetched_at is None
