"""The judge itself: a lawful history passes, each planted fault is found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, Final

import msgspec
import pytest

from services.crm.events import ContactForgotten, ContactStopped, SendPermitted
from services.envelope.events import (
    EnvelopeExpired,
    EnvelopeExpiryChanged,
    EnvelopeRelayed,
    EnvelopeSent,
    EnvelopeViewed,
    LetterConsigned,
    LetterShown,
    RelayAttempted,
    RelayDeferred,
    RelayFailed,
    RelayUnconfirmed,
)
from services.letters.events import LetterIssued, LetterWithdrawn
from shared.events import Event, Recorded, meta_of
from shared.ids import mint
from shared.mailbox import Mail
from tests.builders import NOON, a_context
from tests.journeys.judge import judge, judge_mails

E, C, TOKEN = "e1", "c1", "a" * 32
BOTH: Final = {"envelope_id": E, "contact_id": C}
GRADED: Final[dict[str, Any]] = {**BOTH, "grade": 3, "means": "postcode"}
RELAY: Final[dict[str, Any]] = {**BOTH, "generation": 1}

ISSUED = LetterIssued(
    **BOTH, page="100000", revision=1, letter_hash="h", record_revision=None
)
SENT = EnvelopeSent(
    **BOTH,
    page="100000",
    revision=1,
    letter_hash="h",
    kind="note",
    letter_class="private",
    purpose="service",
    check="postcode",
    blob="b",
    rendition="r",
    identity="i",
    link_hash=hashlib.sha256(TOKEN.encode()).hexdigest(),
    choices_hash="x",
    title="t",
    record="",
    formal_name="Mr Tom Jones",
    family="Jones",
    email="tom@people.example",
    sender_name="Ms Anna Ferris",
    approved_at=None,
    expires_at=NOON + timedelta(hours=1),
    release_at=NOON,
)
CONSIGNED = LetterConsigned(**BOTH)
PERMITTED = SendPermitted(**BOTH, purpose="service", attempt=1)
ATTEMPTED = RelayAttempted(**RELAY, attempt=1, permit=4, repeat=False)
RELAYED = EnvelopeRelayed(**RELAY, attempt=1, reply_code=250, tls=False)
VIEWED, SHOWN = EnvelopeViewed(**GRADED), LetterShown(**GRADED)
ENDED: Final[dict[str, Any]] = {**RELAY, "attempt": 1, "reason": "no_reply"}
DOUBTED = RelayDeferred(**ENDED, reply_code=None, next_at=NOON)
DEFERRED = replace(DOUBTED, reason="greylisted", reply_code=451)
FAILED = RelayFailed(**ENDED, reply_code=None)
REFUSED = replace(FAILED, reason="rejected", reply_code=550)
UNCONFIRMED = RelayUnconfirmed(**ENDED, reply_code=None)
STOPPED = ContactStopped(contact_id=C, stop="messages", door="link", wording="v1")
FORGOTTEN = ContactForgotten(contact_id=C, reason="person_asked")
WITHDRAWN = LetterWithdrawn(page="100000", comment="Old.")
OFF = EnvelopeExpiryChanged(
    **BOTH, expires_at=NOON, reason="mistake", viewed_before=False
)
EXPIRED = EnvelopeExpired(**BOTH, viewed=False, reason="expired")

LAWFUL: Final[list[Event]] = [
    ISSUED,
    SENT,
    CONSIGNED,
    PERMITTED,
    ATTEMPTED,
    RELAYED,
    VIEWED,
    SHOWN,
    STOPPED,
    WITHDRAWN,
    FORGOTTEN,
    OFF,
]


def repeated(number: int, *, repeat: bool = True) -> list[Event]:
    """Return another permit and its attempt; the permit stands at `number`."""
    return [PERMITTED, replace(ATTEMPTED, permit=number, repeat=repeat)]


def told(*events: Event, late: timedelta = timedelta(0)) -> list[Recorded]:
    """Return a history of these facts; the last is `late`."""
    last = len(events) - 1
    return [
        Recorded(
            event=event,
            event_id=mint(),
            stream="s",
            version=number,
            position=number + 1,
            meta=meta_of(
                event, a_context(), NOON + (late if number == last else timedelta(0))
            ),
            body=b"",
        )
        for number, event in enumerate(events)
    ]


def a_mail(number: int = 1, token: str = TOKEN, message_id: str = "<m@x>") -> Mail:
    message = EmailMessage()
    message["Message-ID"] = message_id
    message.set_content(f"http://localhost/e/{token}\n")
    return Mail(
        number=number, received_at=NOON, recipients=("t@x",), source=bytes(message)
    )


def test_a_lawful_history_and_its_mail_pass() -> None:
    history = told(*LAWFUL)
    assert judge(history) == []
    assert judge_mails(history, [a_mail()]) == []


def test_one_labelled_repeat_passes_whatever_failed_for_certain_in_between() -> None:
    begun = [*LAWFUL[:5], DOUBTED, *repeated(7), DEFERRED, *repeated(10)]
    for end in (RELAYED, DOUBTED, UNCONFIRMED):
        assert judge(told(*begun, end)) == []
    refused = [*LAWFUL[:5], DEFERRED, *repeated(7, repeat=False), REFUSED]
    assert judge(told(*refused)) == []
    mails = [a_mail(1), a_mail(2)]
    assert judge_mails(told(*begun, RELAYED), mails) == []
    third = judge_mails(told(*begun, RELAYED), [*mails, a_mail(3)])
    assert any("repeated more than once" in one for one in third)


@pytest.mark.parametrize(
    ("events", "wrong"),
    [
        ([WITHDRAWN, ISSUED], "issued after it was withdrawn"),
        ([ISSUED, ISSUED], "issued twice"),
        ([SENT], "never issued"),
        ([ISSUED, SENT, SENT], "sent twice"),
        ([STOPPED, PERMITTED], "permitted after a stop"),
        ([FORGOTTEN, PERMITTED], "permitted after the erasure"),
        ([ISSUED, SENT, CONSIGNED, CONSIGNED], "consigned twice"),
        ([ISSUED, SENT, CONSIGNED, ATTEMPTED], "without a permit"),
        ([ISSUED, SENT, STOPPED, PERMITTED, ATTEMPTED], "before it was consigned"),
        ([*LAWFUL[:5], replace(ATTEMPTED, permit=4)], "without a permit of its own"),
        ([*LAWFUL[:4], replace(ATTEMPTED, repeat=True)], "a repeat"),
        ([*LAWFUL[:4], RELAYED], "without an intent"),
        ([*LAWFUL[:5], DEFERRED, *repeated(7)], "a repeat"),
        ([*LAWFUL[:5], DOUBTED, *repeated(7, repeat=False)], "a repeat"),
        ([*LAWFUL[:5], DOUBTED, *repeated(7), *repeated(9)], "a second time"),
        ([*LAWFUL[:5], DOUBTED, FAILED], "may have arrived"),
        ([*LAWFUL[:5], DOUBTED, *repeated(7), REFUSED], "may have arrived"),
        ([*LAWFUL[:5], DEFERRED, UNCONFIRMED], "there is none"),
        ([ISSUED, SENT, OFF, VIEWED], "shown after it was disabled"),
        ([ISSUED, SENT, EXPIRED], "expired before its time"),
        ([ISSUED, SENT, SHOWN], "the first view is not the first"),
        ([ISSUED, SENT, VIEWED, VIEWED], "the first view is not the first"),
    ],
)
def test_each_planted_fault_is_found(events: list[Event], wrong: str) -> None:
    assert any(wrong in one for one in judge(told(*events)))


def test_a_showing_after_the_expiry_is_found() -> None:
    history = told(ISSUED, SENT, VIEWED, late=timedelta(hours=1))
    assert [one.partition(": ")[2] for one in judge(history)] == [
        "shown after its expiry"
    ]


def test_a_gap_and_a_doubled_fact_are_found() -> None:
    history = told(*LAWFUL)
    missing = judge([history[0], history[8]])
    assert any("a gap in the store" in one for one in missing)
    assert any("a gap in its stream" in one for one in missing)
    twice = [history[0], msgspec.structs.replace(history[0], position=2)]
    assert any("a fact twice" in one for one in judge(twice))
    assert any("a version twice" in one for one in judge(twice))


def test_where_positions_may_have_gaps_all_else_is_still_found() -> None:
    attempted = replace(ATTEMPTED, permit=100 * ATTEMPTED.permit)
    history = told(*LAWFUL[:4], attempted, *LAWFUL[5:])
    lawful = [msgspec.structs.replace(r, position=100 * r.position) for r in history]
    assert judge(lawful, gapless=False) == []
    assert any("a gap in the store" in one for one in judge(lawful))
    lost = judge([*lawful[:6], *lawful[7:]], gapless=False)
    assert any("a gap in its stream" in one for one in lost)
    swapped = judge([lawful[1], lawful[0], *lawful[2:]], gapless=False)
    assert any("out of order in the store" in one for one in swapped)
    again = msgspec.structs.replace(lawful[-1], position=10_000)
    assert any("a fact twice" in one for one in judge([*lawful, again], gapless=False))


@pytest.mark.parametrize(
    ("change", "mails", "wrong"),
    [
        (lambda h: h, [a_mail(token="b" * 32)], "belongs to no envelope"),
        (lambda h: h, [], "came 0"),
        (lambda h: h, [a_mail(1), a_mail(2)], "one more than was labelled"),
        (lambda h: h[:3], [a_mail()], "nobody permitted it"),
        (lambda h: h[:4], [a_mail()], "without an intent"),
        (lambda h: [*h, *h[5:6]], [a_mail()], "told as relayed 2 times"),
        (
            lambda h: h,
            [a_mail(1), a_mail(2, message_id="<n@x>")],
            "another Message-ID",
        ),
    ],
)
def test_each_planted_mail_is_found(
    change: Callable[[list[Recorded]], list[Recorded]], mails: list[Mail], wrong: str
) -> None:
    found = judge_mails(change(told(*LAWFUL)), mails)
    assert any(wrong in one for one in found), found
