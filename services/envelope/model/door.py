"""Rules of the door: what a link's holder meets, and what an answer causes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.envelope.errors import (
    DoorLocked,
    EnvelopeCancelledEarlier,
    EnvelopeDisabled,
    EnvelopeExpired,
    EnvelopeUnknown,
    LinkReplaced,
)
from services.envelope.events import (
    AnswerRejected,
    EnvelopeViewed,
    LetterShown,
    LinkFetched,
)
from services.envelope.model.sending import GRADES
from services.envelope.model.state import TRIES, TRIES_WITHIN, Envelope
from services.envelope.model.words import in_words
from shared.events import Event

FETCH_EVERY: Final = timedelta(minutes=10)
"""Fetches of one link within this time are one fact."""

FIRST_READ: Final = timedelta(seconds=60)
"""The first reading so soon after the opening is the showing that was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The state of one link of an envelope, and since when."""

    state: str  # as Door.state
    since: datetime | None = None


def standing(
    envelope: Envelope, generation: int, at: datetime, *, erased: bool = False
) -> Standing:
    """Return what the link of `generation` is worth at `at`.

    A link that has not left yet is unknown: nobody can hold it.
    """
    unknown = not envelope.consigned or not 0 < generation <= envelope.generation
    replaced = generation < envelope.generation
    chain = (
        (erased, "erased", None),
        (envelope.cancelled_at is not None, "cancelled", envelope.cancelled_at),
        (unknown, "unknown", None),
        (envelope.disabled_at is not None, "disabled", envelope.disabled_at),
        (replaced, "replaced", envelope.renewed_at),
        (at >= envelope.expires_at, "expired", envelope.expires_at),
        (at < envelope.locked_until, "locked", envelope.locked_at),
    )
    for holds, state, since in chain:
        if holds:
            return Standing(state=state, since=since)
    return Standing(state="open")


def refuse_shut(
    envelope: Envelope, generation: int, at: datetime, *, reading: bool = False
) -> None:
    """Refuse unless the link opens now; `reading`: a lock does not end a reading.

    Raises:
        EnvelopeUnknown, EnvelopeCancelledEarlier, EnvelopeDisabled, LinkReplaced,
        EnvelopeExpired, DoorLocked: as the door stands, with its date.
    """
    here = standing(envelope, generation, at)
    when = f" on {in_words(here.since)}" if here.since else ""
    match here.state:
        case "open":
            return
        case "locked":
            if not reading:
                raise DoorLocked(locked_text(envelope))
        case "cancelled":
            raise EnvelopeCancelledEarlier
        case "disabled":
            raise EnvelopeDisabled(f"The sender switched this link off{when}.")
        case "replaced":
            raise LinkReplaced(f"A newer link took the place of this one{when}.")
        case "expired":
            raise EnvelopeExpired(f"This link ended{when}.")
        case _:
            raise EnvelopeUnknown


def locked_text(envelope: Envelope) -> str:
    """Say until when the door is locked."""
    return (
        "Too many wrong answers. The door opens again on"
        f" {in_words(envelope.locked_until)}."
    )


def tries_left(envelope: Envelope, at: datetime) -> int:
    """Return how many wrong answers the door still takes before it locks."""
    return TRIES - sum(miss > at - TRIES_WITHIN for miss in envelope.misses)


def decide_fetch(envelope: Envelope, generation: int, at: datetime) -> list[Event]:
    """Record that a genuine link was fetched, at most once in ten minutes."""
    last = envelope.fetched.get(generation)
    if last is not None and at < last + FETCH_EVERY:
        return []
    return [
        LinkFetched(
            envelope_id=envelope.envelope_id,
            contact_id=envelope.contact_id,
            generation=generation,
        )
    ]


def decide_answer(
    envelope: Envelope, generation: int, at: datetime, *, right: bool
) -> list[Event]:
    """Turn a judged answer into the view, or the rejection, that it causes.

    Raises as `refuse_shut`: also a right answer opens no shut or locked door.
    """
    refuse_shut(envelope, generation, at)
    if right:
        return _shown(envelope)
    return [
        AnswerRejected(
            envelope_id=envelope.envelope_id,
            contact_id=envelope.contact_id,
            means=envelope.check,
        )
    ]


def decide_reading(envelope: Envelope, generation: int, at: datetime) -> list[Event]:
    """Record one more showing. Raises as `refuse_shut`, but for a lock."""
    refuse_shut(envelope, generation, at, reading=True)
    return _shown(envelope)


def _shown(envelope: Envelope) -> list[Event]:
    fact = EnvelopeViewed if envelope.viewed_at is None else LetterShown
    return [
        fact(
            envelope_id=envelope.envelope_id,
            contact_id=envelope.contact_id,
            grade=GRADES[envelope.check],
            means=envelope.check,
        )
    ]
