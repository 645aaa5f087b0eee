"""Sending one letter to one contact."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.crm.errors import ContactErased, ContactHasStopped
from services.envelope.commands import CancelSend, GetMessage, PreviewSend, SendLetter
from services.envelope.errors import (
    ExpiryInvalid,
    ExpiryTooLate,
    FactMissing,
    NotANamedPerson,
    OrganisationMissing,
    SenderLimit,
    TooLateToCancel,
)
from services.envelope.events import EnvelopeSent
from services.envelope.handlers.streams import stream_of
from services.letters.errors import LetterNotApproved, SecretNotOffered
from shared.codec import EventCodec
from shared.errors import DomainError, Malformed
from shared.events import Sealed
from shared.eventstore.coded import CodedStore
from tests.builders import NOON, a_context
from tests.unit.envelope.world import (
    ANNA,
    EDITH,
    RECORD,
    TITLE,
    TOM,
    UNDO,
    SnapAt,
    Snapped,
    World,
)


def a_letter(**changes: Any) -> SendLetter:
    fields = {"contact_id": TOM, "page": "100001", "record": RECORD}
    return SendLetter(**{**fields, "sender_name": ANNA, **changes})


def a_look(**changes: Any) -> PreviewSend:
    fields = {"contact_id": TOM, "page": "100001", "record": RECORD}
    return PreviewSend(**{**fields, "sender_name": ANNA, **changes})


def test_a_sending_is_accepted_for_seven_days(world: World) -> None:
    sent = world.send()
    assert sent.expires_at == NOON + timedelta(days=7)
    assert sent.release_at == NOON + UNDO
    assert world.facts(sent.envelope_id) == ["EnvelopeSent"]
    assert len(sent.reference) == 9
    row = world.api.message(GetMessage(envelope_id=sent.envelope_id), a_context()).row
    assert (row.status, row.title, row.record) == ("accepted", TITLE, RECORD)
    assert (row.formal_name, row.sender_name) == ("Mr Tom Jones", ANNA)


def test_a_double_press_sends_once_and_answers_the_same(world: World) -> None:
    context = a_context()
    first = world.api.send(a_letter(), context)
    world.clock.move(timedelta(minutes=5))
    assert world.api.send(a_letter(), context) == first
    assert world.facts(first.envelope_id) == ["EnvelopeSent"]
    assert len(list(world.blobs.names())) == 1


@pytest.mark.parametrize("name", ["send.before_append", "send.after_append"])
def test_a_crash_while_sending_and_a_retry_make_one_sending(
    world: World, name: str
) -> None:
    context = a_context()
    world.restart(SnapAt(name))
    with pytest.raises(Snapped):
        world.api.send(a_letter(), context)
    world.restart()
    sent = world.api.send(a_letter(), context)
    assert world.facts(sent.envelope_id) == ["EnvelopeSent"]
    assert len(set(world.letters.issued.values())) == 1
    world.clock.move(UNDO)
    assert world.post() == 1
    assert len(world.relay.taken) == 1


def test_a_retry_commits_to_the_same_rendition(world: World) -> None:
    context = a_context()
    snap = SnapAt("send.before_append")
    world.restart(snap)
    with pytest.raises(Snapped):
        world.api.send(a_letter(), context)
    world.restart()
    sent = world.api.send(a_letter(), context)
    world.restart()
    state = world.state(sent.envelope_id)
    assert state.blob in set(world.blobs.names())
    assert len(set(world.blobs.names())) == 2  # the nonce is random, the salt is not
    world.clock.move(UNDO)
    world.post()
    assert "canary-body" in world.read(world.open(sent.envelope_id))


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "42", "no-reply", "The Complaints Team", "Customer Services"),
        *("Anna\r\nBcc: all@example.org", "=?utf-8?q?Anna?=", "anna@example.org"),
        *("Anna\u2028Ferris", "Anna\x00", "Do Not Reply", "x" * 200, "Sales"),
    ],
)
def test_nobody_sends_without_a_name(world: World, name: str) -> None:
    with pytest.raises(NotANamedPerson):
        world.api.send(a_letter(sender_name=name), a_context())


@pytest.mark.parametrize(
    "name",
    ["Anna", "Mrs Zoë O\u2019Brien-Núñez", "王 小明", "Dr J. R. Smith", "Ms An Do"],
)
def test_every_kind_of_personal_name_may_send(world: World, name: str) -> None:
    assert world.send(sender_name=name).envelope_id


def test_a_service_is_no_named_person(world: World) -> None:
    context = a_context(actor_kind="service", actor_id="portal", role="sender")
    with pytest.raises(NotANamedPerson):
        world.api.send(a_letter(), context)


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        (NOON + timedelta(days=7, microseconds=1), ExpiryTooLate),
        (NOON, ExpiryInvalid),
        (NOON - timedelta(days=900), ExpiryInvalid),
        (datetime(2026, 3, 5), ExpiryInvalid),  # noqa: DTZ001  # no zone: refused
    ],
)
def test_no_envelope_is_sent_for_longer_than_seven_days(
    world: World, wish: datetime, refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        world.api.send(a_letter(expires_at=wish), a_context())
    assert world.letters.issued == {}


def refused_alike(world: World, refusal: type[DomainError], **changes: Any) -> None:
    before = world.store.read_all()
    with pytest.raises(refusal):
        world.api.preview(a_look(**changes), a_context())
    assert world.store.read_all() == before
    with pytest.raises(refusal):
        world.api.send(a_letter(**changes), a_context())
    assert not any(isinstance(r.event, EnvelopeSent) for r in world.store.read_all())


def test_an_unapproved_page_is_refused(world: World) -> None:
    refused_alike(world, LetterNotApproved, page="100002")


@pytest.mark.parametrize("stop", ["all", "messages"])
def test_a_stop_is_obeyed_at_once(world: World, stop: str) -> None:
    world.crm.stop(TOM, stop)
    refused_alike(world, ContactHasStopped)


def test_a_marketing_stop_stops_marketing_only(world: World) -> None:
    world.crm.stop(TOM, "marketing")
    assert world.send().envelope_id
    world.letters.change(purpose="marketing")
    with pytest.raises(ContactHasStopped):
        world.api.send(a_letter(), a_context())


def test_an_erased_person_is_not_written_to(world: World) -> None:
    world.crm.people[TOM].erased = True
    refused_alike(world, ContactErased)


def test_a_secret_letter_is_refused_never_downgraded(world: World) -> None:
    world.letters.change(letter_class="secret")
    refused_alike(world, SecretNotOffered)


def test_a_letter_that_needs_a_fact_waits_for_it(world: World) -> None:
    world.letters.change(fact_required=True, request_author=False)
    refused_alike(world, FactMissing, contact_id=EDITH)
    assert world.letters.issued == {}


@pytest.mark.parametrize(
    ("contact", "letter_class", "author", "record", "check"),
    [
        (TOM, "private", True, RECORD, "postcode"),
        (TOM, "open", True, RECORD, "family_name"),
        (EDITH, "private", True, RECORD, "request_number"),
        (EDITH, "private", False, RECORD, "code"),
        (EDITH, "private", True, None, "code"),
    ],
)
def test_the_check_follows_class_and_facts(
    world: World,
    contact: str,
    letter_class: str,
    author: bool,  # noqa: FBT001  # a column of the table
    record: str | None,
    check: str,
) -> None:
    world.letters.change(letter_class=letter_class, request_author=author)
    look = world.api.preview(a_look(contact_id=contact, record=record), a_context())
    assert look.check == check
    sent = world.send(contact_id=contact, record=record)
    assert world.state(sent.envelope_id).check == check


def test_nothing_is_sent_before_the_organisation_is_described(world: World) -> None:
    world.store = CodedStore(
        type(world.journal)(), EventCodec("envelope", world.keyring)
    )
    world.restart()
    refused_alike(world, OrganisationMissing)


def test_one_person_sends_no_more_than_sixty_letters_an_hour(world: World) -> None:
    for _ in range(60):
        world.api.send(a_letter(), a_context())
    with pytest.raises(SenderLimit):
        world.api.send(a_letter(), a_context())
    with pytest.raises(SenderLimit):
        world.api.preview(a_look(), a_context())
    assert world.api.send(a_letter(), a_context(actor_id="6" * 32)).envelope_id
    world.clock.move(timedelta(hours=1, seconds=1))
    assert world.api.send(a_letter(), a_context()).envelope_id


def test_the_preview_warns_of_what_is_unusual(world: World) -> None:
    assert world.api.preview(a_look(), a_context()).warnings == ()
    world.send()
    world.crm.people[TOM].email_changed_at = NOON - timedelta(days=13)
    look = world.api.preview(a_look(), a_context())
    assert look.warnings == ("address_changed", "sent_lately")
    world.clock.move(timedelta(days=2))
    assert world.api.preview(a_look(), a_context()).warnings == ()


def test_the_same_page_with_another_record_is_nothing_unusual(world: World) -> None:
    world.send()
    look = world.api.preview(a_look(record="900001-000999"), a_context())
    assert look.warnings == ()


def test_undo_works_inside_the_window_only(world: World) -> None:
    sent = world.send()
    world.clock.move(UNDO - timedelta(microseconds=1))
    world.api.cancel(CancelSend(envelope_id=sent.envelope_id), a_context())
    world.clock.move(timedelta(hours=1))
    assert world.post() == 0
    assert world.relay.taken == []
    assert world.facts(sent.envelope_id) == ["EnvelopeSent", "EnvelopeCancelled"]


def test_undo_after_the_window_is_too_late(world: World) -> None:
    sent = world.send()
    world.clock.move(UNDO)
    with pytest.raises(TooLateToCancel):
        world.api.cancel(CancelSend(envelope_id=sent.envelope_id), a_context())


def test_what_others_read_of_a_sending_is_sealed(world: World) -> None:
    sent = world.send()
    foreign = CodedStore(world.journal, EventCodec("audit"))
    [record] = foreign.read(stream_of(sent.envelope_id))
    assert isinstance(record.event, EnvelopeSent)
    for name in EnvelopeSent.personal:
        assert isinstance(getattr(record.event, name), Sealed)


@pytest.mark.parametrize(
    "other",
    [{"contact_id": EDITH}, {"page": "100002"}, {"record": None}],
    ids=["contact", "page", "record"],
)
def test_a_used_command_never_answers_sent_for_another_letter(
    world: World, other: dict[str, Any]
) -> None:
    context = a_context()
    first = world.api.send(a_letter(), context)
    before = world.facts(first.envelope_id)
    with pytest.raises(Malformed):
        world.api.send(a_letter(**other), context)
    assert world.api.send(a_letter(), context) == first
    assert world.facts(first.envelope_id) == before


def test_nobody_learns_of_a_sending_by_its_command_id(world: World) -> None:
    context = a_context()
    world.api.send(a_letter(), context)
    with pytest.raises(Malformed):
        world.api.send(a_letter(), replace(context, actor_id="f" * 32))
