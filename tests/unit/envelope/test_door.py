"""The door of an envelope: what a link's holder meets, and what an answer causes."""

from __future__ import annotations

import random
import string
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert

from services.envelope.api import Door, Ticket
from services.envelope.commands import (
    AskCode,
    AskFresh,
    GetMessage,
    Knock,
    OpenEnvelope,
    ReadLetter,
    RenewLink,
    SetExpiry,
)
from services.envelope.errors import (
    AnswerMissing,
    AnswerWrong,
    DoorLocked,
    EnvelopeDisabled,
    EnvelopeExpired,
    EnvelopeUnknown,
    ExpiryInvalid,
    ExpiryTooLate,
    LinkReplaced,
    RenewalRefused,
    TicketInvalid,
)
from services.envelope.events import AnswerRejected, EnvelopeViewed, LinkFetched
from services.envelope.handlers.links import hash_of
from services.envelope.handlers.streams import stream_of
from services.envelope.tables import LINKS
from shared.errors import DomainError, Malformed
from shared.eventstore.port import CorruptRecord, StoreUnavailable
from tests.builders import NOON, a_context
from tests.unit.envelope.world import (
    BODY,
    BROWSER,
    EDITH,
    RECORD,
    TOM,
    UNDO,
    SnapAt,
    Snapped,
    World,
    a_reader,
)

LONG_AGO = NOON - timedelta(days=9000)


def knock(world: World, envelope_id: str, generation: int = 1) -> Door:
    token = world.token(envelope_id, generation)
    return world.api.knock(Knock(token=token), a_reader())


def disable(world: World, envelope_id: str) -> None:
    world.api.set_expiry(
        SetExpiry(envelope_id=envelope_id, expires_at=LONG_AGO, reason="wrong_person"),
        a_context(),
    )


def test_a_fetch_tells_what_will_be_asked_and_is_no_view(world: World) -> None:
    sent = world.sent_and_posted()
    for _ in range(3):
        door = knock(world, sent.envelope_id)
    assert (door.state, door.check, door.initials) == ("open", "postcode", "TJ")
    assert door.reference == sent.reference
    assert world.facts(sent.envelope_id)[-1] == "LinkFetched"
    assert world.facts(sent.envelope_id).count("LinkFetched") == 1
    world.catch_up()
    row = world.api.message(GetMessage(envelope_id=sent.envelope_id), a_context()).row
    assert row.status == "link_opened"
    assert row.viewed_at is None


def test_fetches_are_told_once_in_ten_minutes(world: World) -> None:
    sent = world.sent_and_posted()
    for _ in range(21):
        knock(world, sent.envelope_id)
        world.clock.move(timedelta(minutes=1))
    assert world.facts(sent.envelope_id).count("LinkFetched") == 3


def test_a_link_that_has_not_left_is_unknown(world: World) -> None:
    sent = world.send()
    assert knock(world, sent.envelope_id).state == "unknown"
    assert world.facts(sent.envelope_id) == ["EnvelopeSent"]


def test_a_right_answer_opens_and_is_the_first_view(world: World) -> None:
    sent = world.sent_and_posted()
    ticket = world.open(sent.envelope_id)
    assert ticket.expires_at == NOON + UNDO + timedelta(hours=24)
    assert world.read(ticket) == BODY
    *_, viewed = (r.event for r in world.store.read(stream_of(sent.envelope_id)))
    assert viewed == EnvelopeViewed(
        envelope_id=sent.envelope_id, contact_id=TOM, grade=3, means="postcode"
    )
    world.open(sent.envelope_id)
    assert world.facts(sent.envelope_id)[-2:] == ["EnvelopeViewed", "LetterShown"]
    world.catch_up()
    row = world.api.message(GetMessage(envelope_id=sent.envelope_id), a_context()).row
    assert (row.status, row.viewed_grade, row.viewed_means) == ("viewed", 3, "postcode")


def test_a_family_name_proves_grade_two(world: World) -> None:
    world.letters.change(letter_class="open")
    sent = world.sent_and_posted()
    world.open(sent.envelope_id, "JONES")
    *_, viewed = (r.event for r in world.store.read(stream_of(sent.envelope_id)))
    assert isinstance(viewed, EnvelopeViewed)
    assert (viewed.grade, viewed.means) == (2, "family_name")


@pytest.mark.parametrize("answer", [RECORD, " 900001 000123", "900001000123"])
def test_a_request_number_is_taken_however_it_is_typed(
    world: World, answer: str
) -> None:
    sent = world.sent_and_posted(contact_id=EDITH)
    assert world.read(world.open(sent.envelope_id, answer)) == BODY


def test_a_wrong_request_number_opens_nothing(world: World) -> None:
    sent = world.sent_and_posted(contact_id=EDITH)
    for wrong in ("900001-000124", "000123", "9"):
        with pytest.raises(AnswerWrong):
            world.open(sent.envelope_id, wrong)


def test_no_answer_is_no_event(world: World) -> None:
    sent = world.sent_and_posted()
    before = world.facts(sent.envelope_id)
    for empty in ("", "  "):
        with pytest.raises(AnswerMissing):
            world.open(sent.envelope_id, empty)
    assert world.facts(sent.envelope_id) == before


def test_the_same_command_gives_the_same_ticket(world: World) -> None:
    sent = world.sent_and_posted()
    context = a_reader()
    first = world.open(sent.envelope_id, context=context)
    world.clock.move(timedelta(minutes=3))
    assert world.open(sent.envelope_id, context=context) == first
    assert world.facts(sent.envelope_id).count("LetterShown") == 0


@pytest.mark.parametrize("name", ["open.before_append", "open.after_append"])
def test_a_crash_while_opening_and_a_retry_are_one_view(
    world: World, name: str
) -> None:
    sent = world.sent_and_posted()
    world.restart(SnapAt(name))
    context = a_reader()
    with pytest.raises(Snapped):
        world.open(sent.envelope_id, context=context)
    world.restart()
    ticket = world.open(sent.envelope_id, context=context)
    assert world.read(ticket) == BODY
    assert world.facts(sent.envelope_id).count("EnvelopeViewed") == 1
    assert "LetterShown" not in world.facts(sent.envelope_id)


def test_wrong_answers_count_down_and_lock_for_a_growing_time(world: World) -> None:
    sent = world.sent_and_posted()
    for left in ("4 tries", "3 tries", "2 tries", "1 try"):
        with pytest.raises(AnswerWrong, match=f"{left} left"):
            world.open(sent.envelope_id, "ZZ9 9ZZ")
    with pytest.raises(DoorLocked):
        world.open(sent.envelope_id, "ZZ9 9ZZ")
    for hours in (0.25, 1, 4, 12, 24, 24):
        lock = timedelta(hours=hours)
        assert knock(world, sent.envelope_id).state == "locked"
        with pytest.raises(DoorLocked):
            world.open(sent.envelope_id)  # a right answer does not open it either
        world.clock.move(lock - timedelta(microseconds=1))
        with pytest.raises(DoorLocked):
            world.open(sent.envelope_id)
        world.clock.move(timedelta(microseconds=1))
        assert knock(world, sent.envelope_id).state == "open"
        for _ in range(4):
            with pytest.raises(AnswerWrong):
                world.open(sent.envelope_id, "wrong")
        with pytest.raises(DoorLocked):
            world.open(sent.envelope_id, "wrong")
    assert "wrong" not in str(world.facts(sent.envelope_id))


def test_wrong_answers_far_apart_do_not_lock(world: World) -> None:
    sent = world.sent_and_posted()
    for _ in range(12):
        with pytest.raises(AnswerWrong):
            world.open(sent.envelope_id, "wrong")
        world.clock.move(timedelta(minutes=4))
    assert world.read(world.open(sent.envelope_id)) == BODY


def test_guessing_in_parallel_gives_no_more_tries(world: World) -> None:
    sent = world.sent_and_posted()

    def guess(number: int) -> str:
        try:
            world.open(sent.envelope_id, f"ZZ{number} 9ZZ")
        except DomainError as refusal:
            return refusal.code
        return "opened"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(guess, range(20)))
    assert outcomes.count("answer_wrong") == 4
    assert outcomes.count("door_locked") == 16
    facts = [r.event for r in world.store.read(stream_of(sent.envelope_id))]
    assert sum(isinstance(fact, AnswerRejected) for fact in facts) == 5


def test_many_openings_at_once_are_one_first_view(world: World) -> None:
    sent = world.sent_and_posted()
    with ThreadPoolExecutor(8) as pool:
        tickets = list(pool.map(lambda _: world.open(sent.envelope_id), range(40)))
    assert len({ticket.ticket for ticket in tickets}) == 40
    assert world.facts(sent.envelope_id).count("EnvelopeViewed") == 1
    assert world.facts(sent.envelope_id).count("LetterShown") == 39


def test_a_ticket_works_in_its_browser_only(world: World) -> None:
    sent = world.sent_and_posted()
    ticket = world.open(sent.envelope_id)
    for browser in ("another", BROWSER + " ", ""):
        with pytest.raises(TicketInvalid):
            world.read(ticket, browser)
    assert world.read(ticket) == BODY


def test_no_letter_opens_in_a_browser_without_a_secret(world: World) -> None:
    sent = world.sent_and_posted()
    with pytest.raises(TicketInvalid):
        world.open(sent.envelope_id, browser="")


def test_a_changed_ticket_is_no_ticket(world: World) -> None:
    sent = world.sent_and_posted()
    real = world.open(sent.envelope_id)
    rng = random.Random(7)  # noqa: S311  # a fixed seed, not a secret
    for place in range(len(real.ticket)):
        other = rng.choice(string.ascii_lowercase.replace(real.ticket[place], ""))
        forged = real.ticket[:place] + other + real.ticket[place + 1 :]
        with pytest.raises(TicketInvalid):
            world.read(replace(real, ticket=forged))
    for forged in ("", ".", "....." * 3, real.ticket + "a", "é" * 99):
        with pytest.raises(TicketInvalid):
            world.read(replace(real, ticket=forged))


def test_a_ticket_ends_after_a_day_and_never_after_the_envelope(world: World) -> None:
    sent = world.sent_and_posted()
    ticket = world.open(sent.envelope_id)
    world.clock.move(timedelta(hours=24))
    with pytest.raises(TicketInvalid):
        world.read(ticket)
    world.clock.move(timedelta(days=5, hours=23))
    late = world.open(sent.envelope_id)
    assert late.expires_at == sent.expires_at
    world.clock.move(sent.expires_at - world.clock.now())
    with pytest.raises(EnvelopeExpired, match="Monday 9 March 2026, 12:00 UTC"):
        world.read(late)


def test_the_first_reading_is_the_view_and_every_other_is_recorded(
    world: World,
) -> None:
    sent = world.sent_and_posted()
    ticket = world.open(sent.envelope_id)
    world.read(ticket)
    assert world.facts(sent.envelope_id).count("LetterShown") == 0
    world.read(ticket)
    assert world.facts(sent.envelope_id).count("LetterShown") == 1
    slow = world.open(sent.envelope_id)
    world.clock.move(timedelta(seconds=61))
    world.read(slow)
    assert world.facts(sent.envelope_id).count("LetterShown") == 3


def test_a_crash_before_the_bytes_leaves_the_evidence(world: World) -> None:
    sent = world.sent_and_posted()
    ticket = world.open(sent.envelope_id)
    world.clock.move(timedelta(minutes=2))
    world.restart(SnapAt("read.before_bytes"))
    with pytest.raises(Snapped):
        world.read(ticket)
    assert world.facts(sent.envelope_id)[-1] == "LetterShown"


def test_no_bytes_are_shown_when_the_store_cannot_write(world: World) -> None:
    sent = world.sent_and_posted()
    ticket = world.open(sent.envelope_id)
    world.clock.move(timedelta(minutes=2))

    class Full(type(world.journal)):  # type: ignore[misc]  # the journal's own class
        def append(self, *_: object, **__: object) -> object:
            raise StoreUnavailable

    world.journal.__class__ = Full
    with pytest.raises(StoreUnavailable):
        world.read(ticket)


def test_an_altered_rendition_is_never_shown(world: World) -> None:
    sent = world.sent_and_posted()
    ticket = world.open(sent.envelope_id)
    [name] = world.blobs.names()
    altered = bytearray(world.blobs.get(name))
    altered[60] ^= 1
    world.blobs._kept[name] = bytes(altered)
    with pytest.raises(CorruptRecord):
        world.read(ticket)
    del world.blobs._kept[name]
    with pytest.raises(CorruptRecord):
        world.read(ticket)


def test_a_past_expiry_shuts_link_and_open_tab_at_once(world: World) -> None:
    sent = world.sent_and_posted()
    ticket = world.open(sent.envelope_id)
    disable(world, sent.envelope_id)
    with pytest.raises(EnvelopeDisabled, match="Monday 2 March 2026, 12:00 UTC"):
        world.read(ticket)
    with pytest.raises(EnvelopeDisabled):
        world.open(sent.envelope_id)
    with pytest.raises(EnvelopeDisabled):
        world.api.held(ReadLetter(ticket=ticket.ticket, browser=BROWSER), a_reader())
    door = knock(world, sent.envelope_id)
    assert (door.state, door.since) == ("disabled", world.clock.now())
    assert door.viewed_at == world.clock.now()
    assert not door.can_renew
    with pytest.raises(RenewalRefused):
        world.api.ask_fresh(AskFresh(token=world.token(sent.envelope_id)), a_reader())
    with pytest.raises(RenewalRefused):
        world.api.renew(RenewLink(envelope_id=sent.envelope_id), a_context())
    world.catch_up()
    row = world.api.message(GetMessage(envelope_id=sent.envelope_id), a_context()).row
    assert (row.status, row.expires_at) == ("disabled", LONG_AGO)


def test_an_expiry_moves_only_within_seven_days(world: World) -> None:
    sent = world.sent_and_posted()

    def set_to(at: object) -> None:
        request = SetExpiry(
            envelope_id=sent.envelope_id,
            expires_at=at,  # type: ignore[arg-type]  # a datetime
            reason="wrong_letter",
        )
        world.api.set_expiry(request, a_context())

    set_to(NOON + timedelta(days=1))
    set_to(NOON + timedelta(days=7))
    with pytest.raises(ExpiryTooLate):
        set_to(NOON + timedelta(days=7, microseconds=1))
    with pytest.raises(ExpiryInvalid):
        set_to(NOON + timedelta(days=7))
    set_to(LONG_AGO)
    with pytest.raises(ExpiryInvalid):
        set_to(NOON + timedelta(days=2))


def test_a_reason_is_a_code_word_never_a_sentence(world: World) -> None:
    sent = world.sent_and_posted()
    for reason in ("", "Mr Jones rang", "wrong person", "Wrong_person"):
        with pytest.raises(ExpiryInvalid):
            world.api.set_expiry(
                SetExpiry(
                    envelope_id=sent.envelope_id, expires_at=LONG_AGO, reason=reason
                ),
                a_context(),
            )


def test_an_expired_link_is_told_and_renewed_once_a_day(world: World) -> None:
    sent = world.sent_and_posted()
    world.clock.move(timedelta(days=7))
    door = knock(world, sent.envelope_id)
    assert (door.state, door.since, door.can_renew) == (
        "expired",
        sent.expires_at,
        True,
    )
    with pytest.raises(EnvelopeExpired):
        world.open(sent.envelope_id)
    ask = AskFresh(token=world.token(sent.envelope_id))
    world.api.ask_fresh(ask, a_reader())
    assert world.post() == 1
    assert len(world.relay.taken) == 2
    assert world.token(sent.envelope_id, 2).encode() in world.relay.taken[1].content
    old = knock(world, sent.envelope_id)
    assert (old.state, old.can_renew) == ("replaced", False)
    with pytest.raises(LinkReplaced):
        world.open(sent.envelope_id)
    with pytest.raises(RenewalRefused):
        world.api.ask_fresh(ask, a_reader())
    assert knock(world, sent.envelope_id, 2).state == "open"
    assert world.read(world.open(sent.envelope_id, generation=2)) == BODY
    world.clock.move(timedelta(hours=24))
    world.api.ask_fresh(ask, a_reader())
    assert world.facts(sent.envelope_id).count("LinkRenewed") == 2


def test_a_link_that_works_is_not_renewed_by_its_holder(world: World) -> None:
    sent = world.sent_and_posted()
    with pytest.raises(RenewalRefused):
        world.api.ask_fresh(AskFresh(token=world.token(sent.envelope_id)), a_reader())


def test_staff_send_a_fresh_link_and_open_tabs_of_the_old_one_end(
    world: World,
) -> None:
    sent = world.sent_and_posted()
    ticket = world.open(sent.envelope_id)
    world.api.renew(RenewLink(envelope_id=sent.envelope_id), a_context())
    with pytest.raises(RenewalRefused):
        world.api.renew(RenewLink(envelope_id=sent.envelope_id), a_context())
    with pytest.raises(LinkReplaced):
        world.read(ticket)
    assert world.post() == 1
    world.catch_up()
    row = world.api.message(GetMessage(envelope_id=sent.envelope_id), a_context()).row
    assert row.status == "renewed"


def test_near_misses_and_chance_find_nothing(world: World) -> None:
    sent = world.sent_and_posted()
    token = world.token(sent.envelope_id)
    letters = string.ascii_lowercase + "234567"
    rng = random.Random(11)  # noqa: S311  # a fixed seed, not a secret
    tries = [
        token[:place] + letter + token[place + 1 :]
        for place in range(len(token))
        for letter in letters
        if letter != token[place]
    ]
    tries += ["".join(rng.choices(letters, k=32)) for _ in range(9_000)]
    tries += [token.upper(), token[:-1], token + "a", f" {token}", f"{token}=", ""]
    finder = world.api._door._finder  # type: ignore[attr-defined]  # the look-up alone
    assert len(tries) > 9_900
    assert sum(finder.find(wrong) is not None for wrong in tries) == 0
    assert finder.find(token) is not None


def test_a_choices_token_opens_no_letter(world: World) -> None:
    sent = world.sent_and_posted()
    token = world.links.token(sent.envelope_id, 1, "choices")
    assert world.api.knock(Knock(token=token), a_reader()).state == "unknown"
    with pytest.raises(EnvelopeUnknown):
        world.api.open(
            OpenEnvelope(token=token, browser=BROWSER, answer="ZZ1 1AA"), a_reader()
        )


def test_a_row_planted_in_the_look_up_table_opens_nothing(world: World) -> None:
    sent = world.sent_and_posted()
    token = "a" * 32
    row = {
        "token_hash": hash_of(token),
        "envelope_id": sent.envelope_id,
        "contact_id": TOM,
        "generation": 1,
        "purpose": "letter",
    }
    with world.readmodel.begin() as connection:
        connection.execute(insert(LINKS), row)
    assert world.api.knock(Knock(token=token), a_reader()).state == "unknown"


def test_unknown_and_erased_get_the_same_answer(world: World) -> None:
    sent = world.sent_and_posted()
    ticket = world.open(sent.envelope_id)
    unknown = world.api.knock(Knock(token="b" * 32), a_reader())
    world.forget(TOM)
    assert knock(world, sent.envelope_id) == unknown
    for attempt in (
        lambda: world.open(sent.envelope_id),
        lambda: world.read(ticket),
        lambda: world.api.ask_fresh(
            AskFresh(token=world.token(sent.envelope_id)), a_reader()
        ),
    ):
        with pytest.raises(EnvelopeUnknown):
            attempt()


def test_an_erasure_counts_before_any_key_is_destroyed(world: World) -> None:
    sent = world.sent_and_posted()
    ticket = world.open(sent.envelope_id)
    world.read(ticket)
    world.crm.people[TOM].erased = True
    before = world.facts(sent.envelope_id)
    assert knock(world, sent.envelope_id).state == "unknown"
    for attempt in (lambda: world.open(sent.envelope_id), lambda: world.read(ticket)):
        with pytest.raises(EnvelopeUnknown):
            attempt()
    assert world.facts(sent.envelope_id) == before


def test_a_code_is_mailed_and_opens_in_the_browser_that_asked(world: World) -> None:
    world.letters.change(request_author=False)
    sent = world.sent_and_posted(contact_id=EDITH)
    ask = AskCode(token=world.token(sent.envelope_id), browser=BROWSER)
    done = world.api.ask_code(ask, a_reader())
    assert world.post() == 1
    [_, mail] = world.relay.taken
    assert b"482113" in mail.content
    assert mail.recipient.startswith("holloway@")
    events = list(world.store.read(f"envelope.notice-{done.ref}"))
    names = [record.event.type_name for record in events]
    assert names == ["NoticeQueued", "NoticeAttempted", "NoticeEnded"]
    with pytest.raises(AnswerWrong):
        world.open(sent.envelope_id, "482113", browser="another")
    assert world.read(world.open(sent.envelope_id, "482113")) == BODY


def test_a_letter_with_a_fact_on_file_does_not_open_by_a_code(world: World) -> None:
    sent = world.sent_and_posted()
    with pytest.raises(Malformed):
        world.api.ask_code(
            AskCode(token=world.token(sent.envelope_id), browser=BROWSER), a_reader()
        )


def test_a_clock_set_back_opens_nothing_that_had_ended(world: World) -> None:
    sent = world.sent_and_posted()
    world.clock.move(timedelta(days=8))
    assert world.parts.expirer.run_once() == 1
    world.clock.move(timedelta(days=-8))
    with pytest.raises(EnvelopeExpired):
        world.open(sent.envelope_id)
    times = [r.recorded_at for r in world.store.read(stream_of(sent.envelope_id))]
    assert times == sorted(times)


def test_a_genuine_dead_link_that_is_fetched_is_recorded(world: World) -> None:
    sent = world.sent_and_posted()
    disable(world, sent.envelope_id)
    knock(world, sent.envelope_id)
    *_, last = (r.event for r in world.store.read(stream_of(sent.envelope_id)))
    assert last == LinkFetched(
        envelope_id=sent.envelope_id, contact_id=TOM, generation=1
    )


def test_what_a_ticket_holds_is_told_without_a_letter(world: World) -> None:
    sent = world.sent_and_posted()
    ticket: Ticket = world.open(sent.envelope_id)
    before = world.facts(sent.envelope_id)
    held = world.api.held(ReadLetter(ticket=ticket.ticket, browser=BROWSER), a_reader())
    assert (held.envelope_id, held.reference) == (sent.envelope_id, sent.reference)
    assert [line.envelope for line in held.trail] == [sent.envelope_id]
    assert world.facts(sent.envelope_id) == before


def test_a_ticket_opens_no_history_but_that_of_its_own_envelope(world: World) -> None:
    one, other = world.sent_and_posted(), world.sent_and_posted()
    assert one.envelope_id != other.envelope_id
    ticket: Ticket = world.open(one.envelope_id)
    held = world.api.held(ReadLetter(ticket=ticket.ticket, browser=BROWSER), a_reader())
    assert {line.envelope for line in held.trail} == {one.envelope_id}
    for stolen, browser in ((ticket.ticket, "another"), ("guessed", BROWSER)):
        with pytest.raises(TicketInvalid):
            world.api.held(ReadLetter(ticket=stolen, browser=browser), a_reader())


def test_a_trail_that_lags_behind_is_no_fault_of_the_ticket(world: World) -> None:
    sent = world.sent_and_posted()
    ticket: Ticket = world.open(sent.envelope_id)
    world.audit.known = False
    held = world.api.held(ReadLetter(ticket=ticket.ticket, browser=BROWSER), a_reader())
    assert (held.envelope_id, held.trail) == (sent.envelope_id, ())


def test_a_command_repeated_in_another_browser_is_judged_anew(world: World) -> None:
    sent = world.sent_and_posted()
    context = a_reader()
    world.open(sent.envelope_id, context=context)
    with pytest.raises(AnswerWrong):
        world.open(sent.envelope_id, "guess", browser="another", context=context)
    assert world.facts(sent.envelope_id).count("AnswerRejected") == 1
