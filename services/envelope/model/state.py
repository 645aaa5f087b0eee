"""What the rules remember of an envelope, folded from its facts. Nothing personal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.envelope.events import (
    AnswerRejected,
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
    RelayDeferred,
    RelayFailed,
    RelayUnconfirmed,
)
from shared.clock import EPOCH
from shared.events import Recorded

TRIES: Final = 5  # wrong answers that lock the door
TRIES_WITHIN: Final = timedelta(minutes=15)
LOCKS: Final = tuple(timedelta(hours=hours) for hours in (0.25, 1, 4, 12, 24))
TICKET_LIFE: Final = timedelta(hours=24)
KEPT: Final = 64  # showings remembered by their id
NO_REPLY: Final = "no_reply"  # the relay may have taken it, and did not say
CUT_OFF: Final = "cut_off"  # it may have taken it, and we ended before we heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One showing of the letter."""

    event_id: UUID
    at: datetime
    until: datetime  # a ticket made by it ends then


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """How far the mail that carries the newest link has come."""

    attempts: int = 0
    attempted_at: datetime = EPOCH
    doubts: int = 0  # attempts at which the relay may have taken it
    unanswered: bool = False  # the last attempt was begun and nothing is recorded yet
    next_at: datetime = EPOCH
    over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One envelope. `envelope_id` is empty until it was sent."""

    envelope_id: str = ""
    contact_id: str = ""
    page: str = ""
    revision: int = 0
    letter_hash: str = ""
    kind: str = ""
    letter_class: str = ""
    purpose: str = ""
    check: str = ""
    blob: str = ""
    rendition: str = ""
    approved_at: datetime | None = None
    accepted_at: datetime = EPOCH
    release_at: datetime = EPOCH
    expires_at: datetime = EPOCH
    first_expires_at: datetime = EPOCH  # as it was answered to the sender
    life_from: datetime = EPOCH  # sending or newest renewal: the 7 days count from here
    consigned: bool = False
    cancelled_at: datetime | None = None
    disabled_at: datetime | None = None
    expiry_noted: bool = False
    generation: int = 0
    renewed_at: datetime | None = None
    asked_at: datetime | None = None  # newest renewal asked for by the recipient
    fetched: Mapping[int, datetime] = field(default_factory=dict)  # generation -> when
    viewed_at: datetime | None = None
    openings: tuple[Opening, ...] = ()
    misses: tuple[datetime, ...] = ()  # wrong answers that count towards a lock
    rejections: int = 0
    lockouts: int = 0
    locked_at: datetime = EPOCH
    locked_until: datetime = EPOCH
    relay: Relay = Relay()


def evolve(envelope: Envelope, record: Recorded) -> Envelope:
    """Apply one fact, with the time it was stamped. Total."""
    return _posted(_answered(_lived(envelope, record), record), record)


def _lived(envelope: Envelope, record: Recorded) -> Envelope:
    at = record.recorded_at
    match record.event:
        case EnvelopeSent() as sent:
            return _begun(sent, at)
        case LetterConsigned():
            return replace(envelope, consigned=True)
        case EnvelopeCancelled():
            return replace(envelope, cancelled_at=at)
        case EnvelopeExpiryChanged(expires_at=expires_at):
            dead = envelope.disabled_at or (at if expires_at <= at else None)
            return replace(
                envelope, expires_at=expires_at, disabled_at=dead, expiry_noted=False
            )
        case EnvelopeExpired():
            return replace(envelope, expiry_noted=True)
        case _:
            return _renewed(envelope, record)


def _renewed(envelope: Envelope, record: Recorded) -> Envelope:
    at, renewed = record.recorded_at, record.event
    if not isinstance(renewed, LinkRenewed):
        return envelope
    return replace(
        envelope,
        generation=renewed.generation,
        expires_at=renewed.expires_at,
        life_from=at,
        renewed_at=at,
        asked_at=at if renewed.asked_by == "recipient" else envelope.asked_at,
        expiry_noted=False,
        relay=Relay(next_at=at),
    )


def _answered(envelope: Envelope, record: Recorded) -> Envelope:
    at = record.recorded_at
    match record.event:
        case LinkFetched(generation=generation):
            return replace(envelope, fetched={**envelope.fetched, generation: at})
        case EnvelopeViewed() | LetterShown():
            until = min(envelope.expires_at, at + TICKET_LIFE)
            opening = Opening(event_id=record.event_id, at=at, until=until)
            return replace(
                envelope,
                viewed_at=envelope.viewed_at or at,
                openings=(*envelope.openings, opening)[-KEPT:],
                misses=(),
            )
        case AnswerRejected():
            return _missed(envelope, at)
        case _:
            return envelope


def _posted(envelope: Envelope, record: Recorded) -> Envelope:
    event, relay = record.event, envelope.relay
    if getattr(event, "generation", None) != envelope.generation:
        return envelope  # the outcome of a link that is dead already
    match event:
        case RelayAttempted(attempt=attempt):
            relay = Relay(
                attempts=attempt,
                attempted_at=record.recorded_at,
                doubts=relay.doubts + 1,  # until it is known
                unanswered=True,
            )
        case RelayDeferred(attempt=attempt, next_at=next_at, reason=reason):
            known = reason != NO_REPLY
            relay = replace(relay, doubts=max(0, relay.doubts - known))
            if attempt == relay.attempts:  # else another one is at it by now
                relay = replace(relay, next_at=next_at, unanswered=False)
        case EnvelopeRelayed() | RelayFailed() | RelayUnconfirmed():
            relay = replace(relay, over=True, unanswered=False)
        case _:
            return envelope
    return replace(envelope, relay=relay)


def _begun(sent: EnvelopeSent, at: datetime) -> Envelope:
    return Envelope(
        envelope_id=sent.envelope_id,
        contact_id=sent.contact_id,
        page=sent.page,
        revision=sent.revision,
        letter_hash=sent.letter_hash,
        kind=sent.kind,
        letter_class=sent.letter_class,
        purpose=sent.purpose,
        check=sent.check,
        blob=sent.blob,
        rendition=sent.rendition,
        approved_at=sent.approved_at,
        accepted_at=at,
        release_at=sent.release_at,
        expires_at=sent.expires_at,
        first_expires_at=sent.expires_at,
        life_from=at,
        generation=1,
        relay=Relay(next_at=sent.release_at),
    )


def _missed(envelope: Envelope, at: datetime) -> Envelope:
    misses = (*(miss for miss in envelope.misses if miss > at - TRIES_WITHIN), at)
    missed = replace(envelope, misses=misses, rejections=envelope.rejections + 1)
    if len(misses) < TRIES:
        return missed
    lock = LOCKS[min(envelope.lockouts, len(LOCKS) - 1)]
    return replace(
        missed,
        misses=(),
        lockouts=envelope.lockouts + 1,
        locked_at=at,
        locked_until=at + lock,
    )
