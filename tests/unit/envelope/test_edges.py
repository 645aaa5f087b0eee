"""Corners of the rules that no main road passes."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from services.crm.errors import ContactUnknown
from services.envelope.commands import (
    AskCode,
    AskFresh,
    CancelSend,
    GetChoices,
    GetMessage,
    GetOrganisation,
    Knock,
    RenewLink,
    SetChoice,
)
from services.envelope.errors import (
    AnswerWrong,
    EnvelopeCancelledEarlier,
    EnvelopeUnknown,
    ExpiryInvalid,
    RenewalRefused,
)
from services.envelope.model.door import decide_reading, refuse_shut
from services.envelope.model.life import decide_expiry
from services.envelope.model.notice import (
    Notice,
    decide_notice_attempt,
    decide_notice_end,
    evolve_notice,
)
from services.envelope.model.organisation import evolve_organisation
from services.envelope.model.relay import RaceLost, due
from services.envelope.model.sending import expiry_of
from services.envelope.ports import RelayAnswer
from tests.builders import NOON, a_context
from tests.unit.envelope.test_mail import ORGANISATION
from tests.unit.envelope.test_model import UNDO, Life, a_sending, act, recorded
from tests.unit.envelope.world import (
    BROWSER,
    EDITH,
    OFFICE,
    TOM,
    World,
    a_reader,
)
from tests.unit.envelope.world import UNDO as WINDOW


def test_a_shorter_life_is_kept_as_it_was_asked(world: World) -> None:
    wish = NOON + timedelta(hours=3)
    assert expiry_of(wish, NOON) == wish
    assert world.send(expires_at=wish).expires_at == wish


def test_a_time_without_zone_is_refused() -> None:
    life = Life()
    bare = datetime(2026, 3, 2)  # noqa: DTZ001  # no zone is the point
    with pytest.raises(ExpiryInvalid):
        decide_expiry(life.state, bare, "other", NOON)


def test_facts_of_others_change_nothing() -> None:
    foreign = recorded(a_sending(), NOON)
    assert evolve_organisation(ORGANISATION, foreign) is ORGANISATION
    notice = Notice(notice_id="n")
    assert evolve_notice(notice, foreign) is notice


def test_an_envelope_that_has_not_left_or_was_undone_opens_nothing() -> None:
    life = Life()
    with pytest.raises(EnvelopeUnknown):
        refuse_shut(life.state, 1, NOON)
    act(life, "cancel", 1)
    with pytest.raises(EnvelopeCancelledEarlier):
        refuse_shut(life.state, 1, NOON)


def test_a_lock_does_not_end_a_reading() -> None:
    life = Life()
    life.at += UNDO
    for name in ("consign", "right", *["wrong"] * 5):
        act(life, name, 1)
    assert life.state.locked_until > life.at
    assert len(decide_reading(life.state, 1, life.at)) == 1


def test_nothing_is_due_inside_the_undo_window() -> None:
    assert due(Life().state, NOON, alone=True) == "nothing"


def test_a_notice_is_begun_and_ended_once() -> None:
    with pytest.raises(RaceLost):
        decide_notice_attempt(Notice(notice_id="n", attempts=1), NOON, attempt=1)
    with pytest.raises(RaceLost):
        decide_notice_attempt(Notice(notice_id="n", over=True), NOON, attempt=1)
    assert decide_notice_end(Notice(notice_id="n", over=True), "relayed") == []
    assert decide_notice_end(Notice(), "relayed") == []
    [ended] = decide_notice_end(Notice(notice_id="n"), "relayed")
    assert evolve_notice(Notice(notice_id="n"), recorded(ended, NOON)).over


def a_code(world: World) -> str:
    world.letters.change(request_author=False)
    sent = world.sent_and_posted(contact_id=EDITH)
    ask = AskCode(token=world.token(sent.envelope_id), browser=BROWSER)
    return world.api.ask_code(ask, a_reader()).ref


def outcome(world: World, notice_id: str) -> str:
    *_, last = world.store.read(f"envelope.notice-{notice_id}")
    return str(last.event.outcome)


def test_a_code_that_died_meanwhile_is_not_mailed(world: World) -> None:
    notice_id = a_code(world)
    world.crm.codes.clear()
    world.post()
    assert outcome(world, notice_id) == "failed"
    assert len(world.relay.taken) == 1


def test_a_code_that_the_relay_refuses_is_over(world: World) -> None:
    notice_id = a_code(world)
    world.relay.answers = [RelayAnswer(outcome="rejected", reason="rejected", code=550)]
    world.post()
    assert outcome(world, notice_id) == "failed"
    world.clock.move(timedelta(minutes=5))
    assert world.post() == 0


def test_a_notice_survives_a_crash_before_its_outcome(world: World) -> None:
    notice_id = a_code(world)
    world.relay.answers = [RelayAnswer(outcome="deferred", reason="no_reply")]
    world.post()
    world.parts.postman.close()
    world.restart()
    assert world.post() == 0  # not before its wait is over
    world.clock.move(timedelta(minutes=1))
    assert world.post() == 1
    assert outcome(world, notice_id) == "relayed"
    _, first, second = world.relay.taken
    assert (
        first.content.split(b"Message-ID")[1][:60]
        == (second.content.split(b"Message-ID")[1][:60])
    )


def test_who_has_stopped_messages_gets_no_fresh_one(world: World) -> None:
    sent = world.sent_and_posted()
    world.crm.stop(TOM, "messages")
    world.clock.move(timedelta(days=7))
    token = world.token(sent.envelope_id)
    assert not world.api.knock(Knock(token=token), a_reader()).can_renew
    with pytest.raises(RenewalRefused):
        world.api.ask_fresh(AskFresh(token=token), a_reader())


def test_what_was_never_sent_cannot_be_renewed_or_undone(world: World) -> None:
    with pytest.raises(EnvelopeUnknown):
        world.api.renew(RenewLink(envelope_id="f" * 32), a_context())
    with pytest.raises(EnvelopeUnknown):
        world.api.cancel(CancelSend(envelope_id="f" * 32), a_context())


def test_an_endless_answer_is_wrong_and_goes_nowhere(world: World) -> None:
    sent = world.sent_and_posted()
    with pytest.raises(AnswerWrong):
        world.open(sent.envelope_id, "ZZ1 1AA" + " x" * 200)


def test_a_wrong_answer_asked_again_is_not_counted_twice(world: World) -> None:
    sent = world.sent_and_posted()
    context = a_reader()
    for _ in range(3):
        with pytest.raises(AnswerWrong):
            world.open(sent.envelope_id, "wrong", context=context)
    assert world.facts(sent.envelope_id).count("AnswerRejected") == 1


def test_the_organisation_is_told_as_it_was_described(world: World) -> None:
    assert world.api.organisation(GetOrganisation(), a_context()) == ORGANISATION
    before = world.store.read_all()
    world.api.describe(OFFICE, a_context())
    assert world.store.read_all() == before


def test_a_person_gone_from_crm_has_no_choices(world: World) -> None:
    sent = world.sent_and_posted()
    token = world.links.token(sent.envelope_id, 1, "choices")
    world.crm.people[TOM].erased = True
    assert world.api.choices(GetChoices(token=token), a_reader()).state == "unknown"
    with pytest.raises(EnvelopeUnknown):
        world.api.choose(SetChoice(token=token, stop="all", stopped=True), a_reader())
    with pytest.raises(ContactUnknown):
        world.send(contact_id="d" * 32)


def test_a_sending_undone_in_time_is_told_as_cancelled(world: World) -> None:
    sent = world.send()
    world.api.cancel(CancelSend(envelope_id=sent.envelope_id), a_context())
    world.clock.move(WINDOW)
    door = world.api.knock(Knock(token=world.token(sent.envelope_id)), a_reader())
    assert door.state == "cancelled"
    world.catch_up()
    view = world.api.message(GetMessage(envelope_id=sent.envelope_id), a_context())
    assert (view.row.status, view.can_cancel) == ("cancelled", False)


def test_the_opposite_choice_is_never_taken_for_a_repeat(world: World) -> None:
    sent = world.sent_and_posted()
    token = world.links.token(sent.envelope_id, 1, "choices")
    context = a_reader()
    for stopped in (True, True, False):
        wanted = SetChoice(token=token, stop="all", stopped=stopped)
        world.api.choose(wanted, context)
        stops = world.api.choices(GetChoices(token=token), a_reader()).stops
        assert ("all" in stops) is stopped
