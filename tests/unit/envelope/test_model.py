"""Laws of an envelope, whatever is done to it in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.envelope.errors import EnvelopeUnknown, NotANamedPerson, TooLateToCancel
from services.envelope.events import (
    EnvelopeCancelled,
    EnvelopeExpired,
    EnvelopeExpiryChanged,
    EnvelopeRelayed,
    EnvelopeSent,
    EnvelopeViewed,
    LetterConsigned,
    LetterShown,
    LinkFetched,
    LinkRenewed,
    RelayAttempted,
    RelayFailed,
    RelayUnconfirmed,
)
from services.envelope.model.door import (
    FETCH_EVERY,
    decide_answer,
    decide_fetch,
    decide_reading,
    standing,
)
from services.envelope.model.life import (
    ASK_EVERY,
    decide_expired,
    decide_expiry,
    decide_renewal,
)
from services.envelope.model.names import refuse_unnamed
from services.envelope.model.relay import (
    NOT_BEGUN,
    decide_attempt,
    decide_deferral,
    decide_failure,
    decide_relayed,
    decide_unconfirmed,
    due,
)
from services.envelope.model.sending import (
    LIFE,
    decide_cancel,
    decide_consign,
    expiry_of,
)
from services.envelope.model.state import LOCKS, TRIES, Envelope, evolve
from shared.context import service_context
from shared.errors import DomainError
from shared.events import Event, Recorded, meta_of
from shared.ids import mint
from tests.builders import NOON

ID, CONTACT = "e" * 32, "c" * 32
UNDO = timedelta(seconds=10)


def recorded(event: Event, at: datetime, event_id: UUID | None = None) -> Recorded:
    return Recorded(
        event=event,
        event_id=event_id or mint(),
        stream=f"envelope.envelope-{ID}",
        version=0,
        position=1,
        meta=meta_of(event, service_context("test"), at),
        body=b"",
    )


def a_sending(wish: datetime | None = None, at: datetime = NOON) -> EnvelopeSent:
    return EnvelopeSent(
        envelope_id=ID,
        contact_id=CONTACT,
        page="100001",
        revision=1,
        letter_hash="0" * 64,
        kind="note",
        letter_class="private",
        purpose="service",
        check="postcode",
        blob="1" * 64,
        rendition="2" * 64,
        identity="",
        link_hash="3" * 64,
        choices_hash="4" * 64,
        title="t",
        record="",
        formal_name="n",
        family="f",
        email="e",
        sender_name="s",
        approved_at=None,
        expires_at=expiry_of(wish, at),
        release_at=at + UNDO,
    )


@dataclass
class Life:
    """An envelope, its history and a clock; acts that are refused change nothing."""

    at: datetime = NOON
    state: Envelope = field(default_factory=Envelope)
    history: list[Recorded] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.add([a_sending()])

    def add(self, facts: list[Event]) -> None:
        for fact in facts:
            record = recorded(fact, self.at)
            self.history.append(record)
            self.state = evolve(self.state, record)

    def attempt(self, decide: Callable[[], list[Event]]) -> bool:
        try:
            facts = decide()
        except DomainError:
            return False
        self.add(facts)
        return bool(facts)

    def kinds(self) -> list[type[Event]]:
        return [type(record.event) for record in self.history]


NAMES = (
    *("right", "wrong", "read", "cancel", "consign", "expire", "past", "earlier"),
    *("later", "relayed", "fresh", "renew"),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3)),
        st.integers(1, 3),
    ),
    max_size=25,
)


def act(life: Life, name: str, generation: int) -> bool:
    """Do one thing at the life's present time; say whether it became a fact."""
    state, at = life.state, life.at

    def expiry(span: timedelta) -> list[Event]:
        return decide_expiry(state, at + span, "other", at)

    def renewal(asked_by: Literal["recipient", "staff"], here: str) -> list[Event]:
        return decide_renewal(
            state, at, asked_by=asked_by, state=here, link_hash=lambda n: f"{n:064x}"
        )

    acts: dict[str, Callable[[], list[Event]]] = {
        "right": lambda: decide_answer(state, generation, at, right=True),
        "wrong": lambda: decide_answer(state, generation, at, right=False),
        "read": lambda: decide_reading(state, generation, at) if state.openings else [],
        "cancel": lambda: decide_cancel(state, at),
        "consign": lambda: decide_consign(state, at),
        "expire": lambda: decide_expired(state, at),
        "past": lambda: expiry(timedelta(days=-900)),
        "earlier": lambda: expiry(timedelta(hours=1)),
        "later": lambda: expiry(timedelta(days=6)),
        "relayed": lambda: [
            EnvelopeRelayed(
                envelope_id=ID,
                contact_id=CONTACT,
                generation=state.generation,
                attempt=1,
                reply_code=250,
                tls=True,
            )
        ],
        "fresh": lambda: renewal("recipient", standing(state, generation, at).state),
        "renew": lambda: renewal("staff", "open"),
    }
    return life.attempt(acts[name])


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_the_laws_hold_under_every_sequence(
    steps: list[tuple[str, timedelta, int]],
) -> None:
    life = Life()
    for name, pause, generation in steps:
        life.at += pause
        before, at = life.state, life.at
        shown = act(life, name, generation) and name in ("right", "read")
        if shown:
            assert at < before.expires_at, "shown at or after the expiry"
            assert before.disabled_at is None, "shown after it was disabled"
            assert before.cancelled_at is None, "shown after it was undone"
            assert before.consigned, "shown before it left"
            assert generation == before.generation, "shown by a link that was replaced"
        if shown and name == "right":
            assert at >= before.locked_until, "a locked door opened"
    judge(life)


def judge(life: Life) -> None:
    """Judge the whole history, by facts alone."""
    kinds = life.kinds()
    assert kinds.count(EnvelopeViewed) <= 1
    if EnvelopeViewed in kinds:
        assert LetterShown not in kinds[: kinds.index(EnvelopeViewed)]
    else:
        assert LetterShown not in kinds
    times = [record.recorded_at for record in life.history]
    assert times == sorted(times)
    assert kinds.count(EnvelopeCancelled) <= 1
    start, asked = NOON, None
    for record in life.history:
        match record.event:
            case LinkRenewed(expires_at=ends, asked_by=by):
                start = record.recorded_at
                assert ends <= start + LIFE
                if by == "recipient":
                    assert asked is None or record.recorded_at >= asked + ASK_EVERY
                    asked = record.recorded_at
            case EnvelopeSent(expires_at=ends) | EnvelopeExpiryChanged(expires_at=ends):
                assert ends <= start + LIFE
            case EnvelopeCancelled():
                assert record.recorded_at < NOON + UNDO
                assert LetterConsigned not in kinds
            case LetterConsigned():
                assert record.recorded_at >= NOON + UNDO
            case EnvelopeExpired() as ended:
                earlier = life.history[: life.history.index(record)]
                viewed = any(isinstance(r.event, EnvelopeViewed) for r in earlier)
                assert ended.viewed == viewed


@given(span=st.timedeltas(timedelta(days=-9000), timedelta(days=9000)))
def test_no_wish_gives_a_longer_life_or_one_in_the_past(span: timedelta) -> None:
    asked = NOON + span
    try:
        ends = expiry_of(asked, NOON)
    except DomainError:
        assert not NOON < asked <= NOON + LIFE
    else:
        assert NOON < ends <= NOON + LIFE


@given(gaps=st.lists(st.integers(0, 3600 * 30), min_size=1, max_size=40))
def test_no_door_stays_locked_for_more_than_a_day(gaps: list[int]) -> None:
    life = Life(at=NOON)
    life.at += UNDO
    act(life, "consign", 1)
    for gap in gaps:
        life.at += timedelta(seconds=gap)
        act(life, "wrong", 1)
        assert life.state.locked_until <= life.at + LOCKS[-1]
        assert len(life.state.misses) < TRIES
    life.at += LOCKS[-1]
    here = standing(life.state, 1, life.at)
    assert here.state in ("open", "expired")


@given(gaps=st.lists(st.integers(0, 1500), max_size=40))
def test_fetches_of_one_link_are_at_least_ten_minutes_apart(gaps: list[int]) -> None:
    life = Life()
    for gap in gaps:
        life.at += timedelta(seconds=gap)
        life.add(decide_fetch(life.state, 1, life.at))
    told = [r.recorded_at for r in life.history if isinstance(r.event, LinkFetched)]
    pairs = pairwise(told)
    assert all(later - earlier >= FETCH_EVERY for earlier, later in pairs)
    assert bool(told) == bool(gaps)


def test_undo_of_what_was_never_sent_is_unknown() -> None:
    with pytest.raises(EnvelopeUnknown):
        decide_cancel(Envelope(), NOON)
    with pytest.raises(EnvelopeUnknown):
        decide_expiry(Envelope(), NOON, "other", NOON)
    assert due(Envelope(), NOON, alone=True) == "nothing"
    assert decide_consign(Envelope(), NOON) == []
    assert decide_expired(Envelope(), NOON) == []


def test_undo_twice_is_one_fact_and_after_consigning_too_late() -> None:
    life = Life()
    assert act(life, "cancel", 1)
    assert decide_cancel(life.state, NOON) == []
    late = Life()
    late.at += UNDO
    act(late, "consign", 1)
    with pytest.raises(TooLateToCancel):
        decide_cancel(late.state, NOON)


def test_history_is_never_rewritten_by_a_past_expiry() -> None:
    life = Life()
    life.at += UNDO
    act(life, "consign", 1)
    act(life, "right", 1)
    life.at += timedelta(hours=1)
    act(life, "past", 1)
    changed = life.history[-1].event
    assert isinstance(changed, EnvelopeExpiryChanged)
    assert changed.viewed_before
    assert life.state.disabled_at == life.at
    assert life.state.viewed_at == NOON + UNDO


def test_an_attempt_without_outcome_is_labelled_when_it_is_repeated() -> None:
    life = Life()
    life.at += UNDO
    act(life, "consign", 1)
    for number, repeat in ((1, False), (2, True)):
        facts = decide_attempt(
            life.state, life.at, generation=1, attempt=number, permit=5, alone=True
        )
        [attempt] = facts
        assert isinstance(attempt, RelayAttempted)
        assert attempt.repeat is repeat
        life.add(facts)
    life.add(decide_failure(life.state, generation=1, attempt=2, reason="rejected"))
    again = decide_failure(life.state, generation=1, attempt=2, reason="rejected")
    assert again == []


OUTCOMES = ("certain", "unknown", "cut off", "refused", "taken")


@given(outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=12))
def test_whatever_the_relay_does_no_mail_goes_a_third_time(outcomes: list[str]) -> None:
    life = Life()
    life.at += UNDO
    act(life, "consign", 1)
    maybe = 0  # mails that may have gone out
    for number, outcome in enumerate(outcomes, 1):
        if due(life.state, life.at, alone=True) != "attempt":
            break
        life.add(attempted(life, number, repeat=maybe > 0))
        told = {"generation": 1, "attempt": number}
        maybe += outcome in ("unknown", "cut off")
        match outcome:
            case "certain" | "unknown":
                reason = "no_reply" if outcome == "unknown" else "greylisted"
                life.add(
                    decide_deferral(
                        life.state, life.at, reason=reason, reply_code=None, **told
                    )
                )
            case "refused":
                no = {"reason": "rejected", "reply_code": 550}
                life.add(decide_failure(life.state, **no, **told))
            case "taken":
                life.add(decide_relayed(life.state, reply_code=250, tls=True, **told))
        life.at += timedelta(hours=2)
    if due(life.state, life.at, alone=True) == "unconfirmed":
        life.add(decide_unconfirmed(life.state))
    assert maybe <= 2
    ends = [kind for kind in life.kinds() if kind in (RelayFailed, RelayUnconfirmed)]
    if maybe == 2 and EnvelopeRelayed not in life.kinds():
        assert ends == [RelayUnconfirmed]
    elif ends:
        assert ends == [RelayUnconfirmed if maybe else RelayFailed]
    if ends:
        assert due(life.state, life.at, alone=True) == "nothing"
        assert decide_unconfirmed(life.state) == []


def attempted(life: Life, number: int, *, repeat: bool) -> list[Event]:
    facts = decide_attempt(
        life.state, life.at, generation=1, attempt=number, permit=5, alone=True
    )
    assert [fact.repeat for fact in facts if isinstance(fact, RelayAttempted)] == [
        repeat
    ]
    return facts


def test_nothing_is_recorded_of_an_attempt_that_was_never_intended() -> None:
    life = Life()
    told = {"generation": 1, "attempt": 1, "reason": "x", "reply_code": None}
    assert decide_deferral(life.state, NOON, **told) == []
    of_an_older_link = {**told, "generation": 7, "reason": NOT_BEGUN}
    assert decide_deferral(life.state, NOON, **of_an_older_link) == []


def test_every_lock_is_longer_than_the_one_before() -> None:
    assert list(LOCKS) == sorted(LOCKS)
    assert LOCKS[0] == timedelta(minutes=15)
    assert LOCKS[-1] == timedelta(hours=24)


@given(name=st.text(max_size=130))
def test_whoever_passes_for_a_person_is_safe_in_a_header(name: str) -> None:
    try:
        refuse_unnamed(name)
    except NotANamedPerson:
        return
    assert any(letter.isalpha() for letter in name)
    assert name.isprintable() or "\u00a0" in name or any(c.isspace() for c in name)
    assert not set(name) & set("\r\n\0\u2028\u2029@<>")
