"""What may have been a mail goes once more at most; then a person decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from services.envelope.api import MessageView
from services.envelope.commands import (
    GetAttention,
    GetMessage,
    Knock,
    RenewLink,
    SetExpiry,
)
from services.envelope.events import (
    EnvelopeRelayed,
    LetterConsigned,
    RelayAttempted,
    RelayDeferred,
    RelayUnconfirmed,
)
from services.envelope.handlers.streams import stream_of
from services.envelope.ports import RelayAnswer
from shared.events import Event, drafted
from shared.eventstore.port import Appended, RawEvent, StoreUnavailable
from tests.builders import NOON, a_context
from tests.unit.envelope.world import (
    GREYLISTED,
    NO_REPLY,
    REJECTED,
    TOM,
    UNDO,
    SnapAt,
    Snapped,
    World,
    a_reader,
)

WEEK = timedelta(days=7)


def posted(world: World, *answers: RelayAnswer, days: int = 1) -> str:
    """Send a letter to a relay that answers so, and let days pass; return its id."""
    sent = world.send()
    world.relay.answers = list(answers)
    world.clock.move(UNDO)
    for _ in range(2 * 24 * days):
        world.post()
        world.clock.move(timedelta(minutes=30))
    return sent.envelope_id


def events(world: World, envelope_id: str) -> list[Event]:
    return [record.event for record in world.store.read(stream_of(envelope_id))]


def repeats(world: World, envelope_id: str) -> list[bool]:
    found = events(world, envelope_id)
    return [one.repeat for one in found if isinstance(one, RelayAttempted)]


def seen(world: World, envelope_id: str) -> MessageView:
    world.catch_up()
    return world.api.message(GetMessage(envelope_id=envelope_id), a_context())


def in_attention(world: World) -> list[tuple[str, str]]:
    rows = world.api.attention(GetAttention(), a_context()).rows
    return [(row.envelope_id, row.status) for row in rows]


def same_mail(world: World) -> set[tuple[bytes, ...]]:
    """Return Message-ID and links of each mail that was taken."""
    marks = (b"Message-ID:", b"http")
    return {
        tuple(
            line
            for line in parcel.content.split(b"\r\n")
            if line.startswith(marks[0]) or marks[1] in line
        )
        for parcel in world.relay.taken
    }


def test_after_a_second_unknown_outcome_nothing_is_sent_and_staff_are_told(
    world: World,
) -> None:
    envelope = posted(world, *[NO_REPLY] * 1000, days=8)
    assert len(world.relay.taken) == 2
    assert len(same_mail(world)) == 1
    assert repeats(world, envelope) == [False, True]
    end = events(world, envelope)[-1]
    assert end == RelayUnconfirmed(
        envelope_id=envelope,
        contact_id=TOM,
        generation=1,
        attempt=2,
        reason="no_reply",
        reply_code=None,
    )
    view = seen(world, envelope)
    assert (view.row.status, view.failure) == ("unconfirmed", "unconfirmed")
    assert view.row.relayed_at is None
    assert in_attention(world) == [(envelope, "unconfirmed")]


def test_certain_failures_do_not_use_up_the_repeat_which_stays_labelled(
    world: World,
) -> None:
    envelope = posted(world, GREYLISTED, NO_REPLY, GREYLISTED, GREYLISTED)
    assert repeats(world, envelope) == [False, False, True, True, True]
    assert len(world.relay.taken) == 2
    assert isinstance(events(world, envelope)[-1], EnvelopeRelayed)
    assert seen(world, envelope).row.status == "sent"


@pytest.mark.parametrize("place", ["relay.after_intent", "relay.after_250"])
def test_two_crashes_in_the_middle_are_two_unknown_outcomes(
    world: World, place: str
) -> None:
    sent = world.send()
    world.clock.move(UNDO)
    for _ in range(2):
        world.restart(SnapAt(place))
        with pytest.raises(Snapped):
            world.post()
        world.parts.postman.close()
    world.restart()
    assert world.post() == 1
    assert len(world.relay.taken) == (2 if place == "relay.after_250" else 0)
    end = events(world, sent.envelope_id)[-1]
    assert isinstance(end, RelayUnconfirmed)
    assert (end.attempt, end.reason) == (2, "cut_off")


def test_a_refusal_of_the_repeat_does_not_prove_that_nothing_arrived(
    world: World,
) -> None:
    envelope = posted(world, NO_REPLY, REJECTED)
    end = events(world, envelope)[-1]
    assert isinstance(end, RelayUnconfirmed)
    assert (end.reason, end.reply_code) == ("rejected", 550)
    assert len(world.relay.taken) == 1


@pytest.mark.parametrize("way", ["expired", "disabled", "contact_stopped"])
def test_what_prevents_the_repeat_does_not_make_it_a_failure(
    world: World, way: str
) -> None:
    sent = world.send()
    world.relay.answers = [NO_REPLY]
    world.clock.move(UNDO)
    world.post()
    if way == "disabled":
        off = SetExpiry(envelope_id=sent.envelope_id, expires_at=NOON, reason="other")
        world.api.set_expiry(off, a_context())
    elif way == "contact_stopped":
        world.crm.stop(TOM, "all")
    world.clock.move(WEEK if way == "expired" else timedelta(hours=1))
    world.post()
    end = events(world, sent.envelope_id)[-1]
    assert isinstance(end, RelayUnconfirmed)
    assert end.reason == way
    assert len(world.relay.taken) == 1


def test_a_fresh_link_may_be_sent_and_begins_anew(world: World) -> None:
    envelope = posted(world, NO_REPLY, NO_REPLY)
    world.api.renew(RenewLink(envelope_id=envelope), a_context())
    world.relay.answers = [NO_REPLY]
    for _ in range(4):
        world.post()
        world.clock.move(timedelta(minutes=30))
    assert repeats(world, envelope) == [False, True, False, True]
    assert len(world.relay.taken) == 4
    assert len(same_mail(world)) == 2
    assert seen(world, envelope).failure is None
    assert in_attention(world) == []


@pytest.mark.parametrize("late", [False, True])
def test_whoever_comes_by_the_link_has_the_mail(world: World, *, late: bool) -> None:
    sent = world.send()
    world.relay.answers = [NO_REPLY, NO_REPLY]
    world.clock.move(UNDO)
    world.post()
    knock = Knock(token=world.token(sent.envelope_id))
    if not late:
        world.api.knock(knock, a_reader())
    world.clock.move(timedelta(minutes=5))
    world.post()
    if late:
        world.api.knock(knock, a_reader())
    assert isinstance(
        next(e for e in events(world, sent.envelope_id)[::-1] if _of_relay(e)),
        RelayUnconfirmed,
    )
    view = seen(world, sent.envelope_id)
    assert (view.row.status, view.failure) == ("link_opened", None)
    assert in_attention(world) == []
    world.clock.move(timedelta(days=6, hours=12))
    assert in_attention(world) == [(sent.envelope_id, "link_opened")]


def _of_relay(event: Event) -> bool:
    return event.type_name.startswith("Relay")


def test_what_an_older_program_repeated_often_is_settled_without_a_mail(
    world: World,
) -> None:
    sent = world.send()
    both = {"envelope_id": sent.envelope_id, "contact_id": TOM}
    facts: list[Event] = [LetterConsigned(**both)]
    for number in range(1, 5):
        told = {**both, "generation": 1, "attempt": number}
        facts += [
            RelayAttempted(**told, permit=1, repeat=number > 1),
            RelayDeferred(**told, reason="no_reply", reply_code=None, next_at=NOON),
        ]
    stream = stream_of(sent.envelope_id)
    drafts = drafted(facts, a_context(), at=NOON, stream=stream)
    world.store.append(stream, drafts, expected=0)
    world.clock.move(timedelta(hours=1))
    assert world.post() == 1
    end = events(world, sent.envelope_id)[-1]
    assert isinstance(end, RelayUnconfirmed)
    assert (end.attempt, end.reason) == (4, "no_reply")
    assert world.relay.taken == []


def breaking(world: World, kind: type[Event], *, written: bool) -> list[bool]:
    """Let the store fail at facts of a kind, written all the same or not.

    It works again once the list that is returned is empty.
    """
    failing, usual = [written], type(world.journal)

    class Failing(usual):  # type: ignore[misc,valid-type]  # the journal's own class
        def append(
            self, stream: str, raws: Sequence[RawEvent], *, expected: int
        ) -> Appended:
            if not failing or raws[0].type_name != kind.__name__:
                return usual.append(self, stream, raws, expected=expected)
            if failing[0]:
                usual.append(self, stream, raws, expected=expected)
            raise StoreUnavailable

    world.journal.__class__ = Failing
    return failing


@pytest.mark.parametrize("written", [False, True])
def test_a_store_that_fails_after_the_mail_does_not_make_it_go_twice(
    world: World, *, written: bool
) -> None:
    sent = world.send()
    world.clock.move(UNDO)
    failing = breaking(world, EnvelopeRelayed, written=written)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            world.post()
        world.clock.move(timedelta(minutes=5))
        if written:
            break
    failing.clear()
    world.post()
    assert repeats(world, sent.envelope_id) == [False]
    assert len(world.relay.taken) == 1
    assert events(world, sent.envelope_id)[-1].type_name == "EnvelopeRelayed"
    world.clock.move(timedelta(days=1))
    assert world.post() == 0


@pytest.mark.parametrize("written", [False, True])
def test_an_intent_that_could_not_be_written_is_no_doubt(
    world: World, *, written: bool
) -> None:
    sent = world.send()
    world.clock.move(UNDO)
    failing = breaking(world, RelayAttempted, written=written)
    with pytest.raises(StoreUnavailable):
        world.post()
    failing.clear()
    world.post()
    world.clock.move(timedelta(minutes=5))
    world.post()
    assert repeats(world, sent.envelope_id) == [False] * (2 if written else 1)
    assert len(world.relay.taken) == 1
    assert events(world, sent.envelope_id)[-1].type_name == "EnvelopeRelayed"


def test_what_a_postman_knows_ends_with_its_turn(world: World) -> None:
    sent = world.send()
    world.clock.move(UNDO)
    failing = breaking(world, EnvelopeRelayed, written=False)
    with pytest.raises(StoreUnavailable):
        world.post()
    failing.clear()
    world.parts.postman.close()
    world.post()
    assert repeats(world, sent.envelope_id) == [False, True]
    assert len(world.relay.taken) == 2
    assert len(same_mail(world)) == 1


def test_a_postman_that_leaves_begins_no_other_mail(world: World) -> None:
    world.send()
    world.send()
    world.clock.move(UNDO)
    world.catch_up()
    postman, deliver = world.parts.postman, world.relay.deliver

    class Leaving:
        """A relay during whose talk the postman is told to leave."""

        def deliver(self, parcel: object) -> RelayAnswer:
            postman.leave()
            return deliver(parcel)  # type: ignore[arg-type]  # a parcel

    postman._relay = Leaving()
    assert postman.run_once() == 1
    postman.close()
    assert postman.run_once() == 1
    assert len(world.relay.taken) == 2
