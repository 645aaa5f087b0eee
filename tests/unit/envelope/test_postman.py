"""The postman: nothing lost, nothing doubled but the one labelled exception."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from services.crm.events import SendPermitted
from services.envelope.adapters.mail import MailComposer
from services.envelope.commands import (
    AskCode,
    GetAttention,
    GetMessage,
    RenewLink,
    SetExpiry,
)
from services.envelope.events import (
    EnvelopeRelayed,
    RelayAttempted,
    RelayDeferred,
    RelayFailed,
)
from services.envelope.handlers.streams import stream_of
from services.envelope.model.relay import LEASE, due, wait_after
from services.envelope.ports import Parcel, RelayAnswer
from services.envelope.queries import OutboxTable
from services.envelope.reactions import Postman
from shared.eventstore.port import StoreUnavailable
from tests.builders import NOON, a_context
from tests.unit.envelope.world import (
    BROWSER,
    EDITH,
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


def test_a_letter_is_consigned_intended_and_relayed_in_this_order(
    world: World,
) -> None:
    sent = world.send()
    assert world.post() == 0
    world.clock.move(UNDO)
    assert world.post() == 1
    assert world.facts(sent.envelope_id) == [
        "EnvelopeSent",
        "LetterConsigned",
        "RelayAttempted",
        "EnvelopeRelayed",
    ]
    [attempt] = events(world, sent.envelope_id, RelayAttempted)
    [permit] = world.bare.read(f"crm.contact-{TOM}")
    assert isinstance(permit.event, SendPermitted)
    assert attempt.permit == permit.position
    assert not attempt.repeat
    assert len(world.relay.taken) == 1
    assert world.post() == 0


def events(world: World, envelope_id: str, kind: type) -> list:
    facts = (r.event for r in world.store.read(stream_of(envelope_id)))
    return [fact for fact in facts if isinstance(fact, kind)]


# name of the place -> mails in the end, and is the last attempt a labelled repeat
TABLE = {
    "relay.before_intent": (1, False),
    "relay.after_intent": (1, True),
    "relay.after_250": (2, True),
    "relay.after_record": (1, False),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_crash_at_any_point_loses_nothing(world: World, name: str) -> None:
    mails, repeat = TABLE[name]
    sent = world.send()
    world.clock.move(UNDO)
    world.restart(SnapAt(name))
    with pytest.raises(Snapped):
        world.post()
    world.parts.postman.close()
    world.restart()
    world.post()
    assert len(world.relay.taken) == mails
    assert len({parcel.content for parcel in world.relay.taken}) == 1
    assert len(events(world, sent.envelope_id, EnvelopeRelayed)) == 1
    assert events(world, sent.envelope_id, RelayAttempted)[-1].repeat is repeat
    world.clock.move(timedelta(days=1))
    assert world.post() == 0


def test_a_relay_that_took_it_without_a_word_gets_the_same_mail_again(
    world: World,
) -> None:
    sent = world.send()
    world.relay.answers = [NO_REPLY]
    world.clock.move(UNDO)
    world.post()
    world.clock.move(timedelta(minutes=2))
    world.post()
    first, second = world.relay.taken
    assert message_id(first.content) == message_id(second.content)
    attempts = events(world, sent.envelope_id, RelayAttempted)
    assert [attempt.repeat for attempt in attempts] == [False, True]


def message_id(content: bytes) -> bytes:
    return next(x for x in content.split(b"\r\n") if x.startswith(b"Message-ID:"))


def test_a_busy_relay_is_tried_again_later_and_gets_one_mail(world: World) -> None:
    sent = world.send()
    world.relay.answers = [GREYLISTED] * 3
    world.clock.move(UNDO)
    for _ in range(30):
        world.post()
        world.clock.move(timedelta(seconds=30))
    assert len(world.relay.taken) == 1
    attempts = events(world, sent.envelope_id, RelayAttempted)
    assert [attempt.attempt for attempt in attempts] == [1, 2, 3, 4]
    assert not any(attempt.repeat for attempt in attempts)
    deferrals = events(world, sent.envelope_id, RelayDeferred)
    assert [deferral.reason for deferral in deferrals] == ["greylisted"] * 3


def test_waits_grow_to_an_hour_and_are_spread(world: World) -> None:
    waits = [wait_after("a", attempt) for attempt in range(1, 12)]
    assert timedelta(seconds=48) <= waits[0] <= timedelta(seconds=72)
    assert max(waits) <= timedelta(minutes=72)
    assert waits[9] >= timedelta(minutes=48)
    assert len({wait_after(name, 1) for name in "abcdefgh"}) > 4


def test_a_relay_that_never_comes_back_is_given_up_at_the_expiry(
    world: World,
) -> None:
    sent = world.send()
    world.relay.answers = [GREYLISTED] * 1000
    for _ in range(24 * 8):
        world.clock.move(timedelta(hours=1))
        world.post()
    [failure] = events(world, sent.envelope_id, RelayFailed)
    assert failure.reason == "expired"
    assert world.relay.taken == []
    row = world.api.message(GetMessage(envelope_id=sent.envelope_id), a_context())
    assert (row.row.status, row.failure) == ("not_delivered", "expired")


def test_a_rejected_envelope_is_not_tried_again(world: World) -> None:
    sent = world.send()
    world.relay.answers = [REJECTED]
    world.clock.move(UNDO)
    world.post()
    world.clock.move(timedelta(days=1))
    assert world.post() == 0
    [failure] = events(world, sent.envelope_id, RelayFailed)
    assert (failure.reason, failure.reply_code) == ("rejected", 550)
    [row] = world.api.attention(GetAttention(), a_context()).rows
    assert (row.envelope_id, row.status) == (sent.envelope_id, "not_delivered")


def test_a_stop_before_the_permit_means_no_mail(world: World) -> None:
    sent = world.send()
    world.crm.stop(TOM, "messages")
    world.clock.move(UNDO)
    world.post()
    [failure] = events(world, sent.envelope_id, RelayFailed)
    assert failure.reason == "contact_stopped"
    assert world.relay.taken == []
    assert events(world, sent.envelope_id, RelayAttempted) == []


def test_a_stop_between_two_attempts_means_no_second_one(world: World) -> None:
    sent = world.send()
    world.relay.answers = [GREYLISTED]
    world.clock.move(UNDO)
    world.post()
    world.crm.stop(TOM, "all")
    world.clock.move(timedelta(hours=1))
    world.post()
    [failure] = events(world, sent.envelope_id, RelayFailed)
    assert failure.reason == "contact_stopped"
    assert world.relay.taken == []


def test_an_erased_person_gets_no_mail(world: World) -> None:
    sent = world.send()
    world.forget(TOM)
    world.clock.move(UNDO)
    world.post()
    [failure] = events(world, sent.envelope_id, RelayFailed)
    assert failure.reason == "contact_erased"
    assert world.relay.taken == []


def test_a_disabled_envelope_does_not_leave(world: World) -> None:
    sent = world.send()
    world.api.set_expiry(
        SetExpiry(envelope_id=sent.envelope_id, expires_at=NOON, reason="other"),
        a_context(),
    )
    world.clock.move(UNDO)
    world.post()
    [failure] = events(world, sent.envelope_id, RelayFailed)
    assert failure.reason == "disabled"
    assert world.relay.taken == []


def test_an_address_that_cannot_be_mailed_is_a_failure_not_a_loop(
    world: World,
) -> None:
    world.crm.people[TOM].recipient = change_mail(world, "tom@x.example\r\nBcc: a@b.c")
    sent = world.send()
    world.clock.move(UNDO)
    assert world.post() == 1
    [failure] = events(world, sent.envelope_id, RelayFailed)
    assert failure.reason == "mail_unsafe"


def change_mail(world: World, email: str) -> object:
    return replace(world.crm.people[TOM].recipient, email=email)


def a_postman(world: World, *, lock: bool = True) -> Postman:
    return Postman(
        world.parts.postman._tools,
        OutboxTable(world.readmodel),
        MailComposer(),
        world.relay,
        lock=world.folder / "one.lock" if lock else None,
    )


def test_a_second_postman_waits_until_the_first_is_gone(world: World) -> None:
    world.send()
    world.clock.move(UNDO)
    first, second = a_postman(world), a_postman(world)
    world.relay.answers = [GREYLISTED]
    assert first.run_once() == 1
    world.catch_up()
    world.clock.move(timedelta(minutes=2))
    assert second.run_once() == 0
    first.close()
    assert second.run_once() == 1
    assert len(world.relay.taken) == 1


def test_two_postmen_without_a_lock_send_one_mail(world: World) -> None:
    sent = world.send()
    world.clock.move(UNDO)
    one, other = a_postman(world, lock=False), a_postman(world, lock=False)

    class Meanwhile:
        """A relay during whose talk the other postman comes round."""

        def deliver(self, parcel: object) -> RelayAnswer:
            world.catch_up()
            assert other.run_once() == 0
            return world.relay.deliver(parcel)  # type: ignore[arg-type]  # a parcel

    one._relay = Meanwhile()
    assert one.run_once() == 1
    assert other.run_once() == 0
    assert len(world.relay.taken) == 1
    assert len(events(world, sent.envelope_id, RelayAttempted)) == 1


def test_a_lost_race_sends_nothing(world: World) -> None:
    sent = world.send()
    world.clock.move(UNDO)
    one, other = a_postman(world, lock=False), a_postman(world, lock=False)
    prepare = one._prepare

    def overtaken(envelope: object, attempt: int) -> object:
        assert other.run_once() == 1
        return prepare(envelope, attempt)  # type: ignore[arg-type]  # an envelope

    one._prepare = overtaken  # type: ignore[assignment,method-assign]  # slow postman
    assert one.run_once() == 0
    assert len(world.relay.taken) == 1
    assert len(events(world, sent.envelope_id, RelayAttempted)) == 1


def test_an_attempt_cut_off_elsewhere_is_left_alone_for_its_lease(
    world: World,
) -> None:
    sent = world.send()
    world.clock.move(UNDO)
    world.restart(SnapAt("relay.after_intent"))
    with pytest.raises(Snapped):
        world.post()
    world.restart()
    world.catch_up()
    stranger = a_postman(world, lock=False)
    assert stranger.run_once() == 0
    world.clock.move(LEASE)
    assert stranger.run_once() == 1
    assert len(world.relay.taken) == 1
    assert due(world.state(sent.envelope_id), world.clock.now(), alone=True) == (
        "nothing"
    )


def test_an_outcome_of_a_dead_link_does_not_settle_the_new_one(world: World) -> None:
    sent = world.sent_and_posted()
    world.api.renew(RenewLink(envelope_id=sent.envelope_id), a_context())
    world.post()
    assert len(world.relay.taken) == 2
    ids = {message_id(parcel.content) for parcel in world.relay.taken}
    assert len(ids) == 2


def test_trouble_with_one_mail_does_not_stop_the_others(world: World) -> None:
    first, second = world.send(), world.send(contact_id=EDITH)
    state = world.state(first.envelope_id)
    whole = world.blobs._kept.pop(state.blob)
    world.clock.move(UNDO)
    world.catch_up()
    with pytest.raises(Exception, match="it is missing"):
        world.parts.postman.run_once()
    assert world.facts(second.envelope_id)[-1] == "EnvelopeRelayed"
    world.blobs._kept[state.blob] = whole
    world.post()
    assert world.facts(first.envelope_id)[-1] == "EnvelopeRelayed"


def test_no_mail_leaves_when_the_intent_cannot_be_written(world: World) -> None:
    world.send()
    world.clock.move(UNDO)
    world.catch_up()

    class Full(type(world.journal)):  # type: ignore[misc]  # the journal's own class
        def append(self, *_: object, **__: object) -> object:
            raise StoreUnavailable

    usual = type(world.journal)
    world.journal.__class__ = Full
    with pytest.raises(StoreUnavailable):
        world.parts.postman.run_once()
    assert world.relay.taken == []
    world.journal.__class__ = usual
    assert world.post() == 1
    assert len(world.relay.taken) == 1


def test_a_notice_that_is_late_is_dropped(world: World) -> None:
    world.letters.change(request_author=False)
    sent = world.sent_and_posted(contact_id=EDITH)
    done = world.api.ask_code(
        AskCode(token=world.token(sent.envelope_id), browser=BROWSER), a_reader()
    )
    world.clock.move(timedelta(minutes=10))
    world.post()
    assert len(world.relay.taken) == 1
    records = list(world.store.read(f"envelope.notice-{done.ref}"))
    assert records[-1].event.outcome == "expired"


def test_a_notice_waits_for_a_busy_relay(world: World) -> None:
    world.letters.change(request_author=False)
    sent = world.sent_and_posted(contact_id=EDITH)
    world.relay.answers = [GREYLISTED]
    world.api.ask_code(
        AskCode(token=world.token(sent.envelope_id), browser=BROWSER), a_reader()
    )
    assert world.post() == 1
    assert len(world.relay.taken) == 1
    world.clock.move(timedelta(minutes=1))
    assert world.post() == 1
    assert len(world.relay.taken) == 2
    assert world.post() == 0


def test_two_threads_of_one_postman_send_one_mail(world: World) -> None:
    sent = world.send()
    world.clock.move(UNDO)
    world.catch_up()
    postman, found = world.parts.postman, []

    class Meanwhile:
        """A relay during whose talk another thread comes round."""

        def deliver(self, parcel: Parcel) -> RelayAnswer:
            world.catch_up()
            thread = threading.Thread(target=lambda: found.append(postman.run_once()))
            thread.start()
            thread.join()
            return world.relay.deliver(parcel)

    postman._relay = Meanwhile()
    assert postman.run_once() == 1
    assert found == [0]
    assert len(world.relay.taken) == 1
    assert len(events(world, sent.envelope_id, RelayAttempted)) == 1
