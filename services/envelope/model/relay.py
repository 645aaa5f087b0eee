"""Rules of the postman: what is due, what an attempt is, when to try again."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final, Literal

from services.envelope.events import RelayAttempted, RelayDeferred, RelayFailed
from services.envelope.model.state import Envelope
from shared.events import Event

FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=1)
LEASE: Final = timedelta(seconds=90)
"""How long another postman may still be busy with an attempt it began."""

Due = Literal["nothing", "consign", "expired", "attempt"]


class RaceLost(Exception):
    """Another postman began this attempt first, so this one sends nothing."""


def due(envelope: Envelope, at: datetime, *, alone: bool) -> Due:
    """Return what the postman has to do for an envelope at `at`.

    `alone`: no other postman can be at work, so an attempt without outcome is one that
    a crash cut off. Otherwise it is left alone for `LEASE`.
    """
    relay = envelope.relay
    if not envelope.envelope_id or envelope.cancelled_at is not None or relay.over:
        return "nothing"
    if at < envelope.release_at:
        return "nothing"
    if not envelope.consigned:
        return "consign"
    if relay.unanswered and not alone and at < relay.attempted_at + LEASE:
        return "nothing"
    if at >= envelope.expires_at or envelope.disabled_at is not None:
        return "expired"
    return "nothing" if at < relay.next_at else "attempt"


def decide_attempt(
    envelope: Envelope,
    at: datetime,
    *,
    generation: int,
    attempt: int,
    permit: int,
    alone: bool,
) -> list[Event]:
    """Record the intent to hand the envelope to the relay, before anything is sent.

    Raises:
        RaceLost: it is not this attempt's turn any more.
    """
    turn = (envelope.generation, envelope.relay.attempts + 1)
    if turn != (generation, attempt) or due(envelope, at, alone=alone) != "attempt":
        raise RaceLost
    return [
        RelayAttempted(
            envelope_id=envelope.envelope_id,
            contact_id=envelope.contact_id,
            generation=generation,
            attempt=attempt,
            permit=permit,
            repeat=envelope.relay.in_doubt,
        )
    ]


def decide_deferral(
    envelope: Envelope,
    at: datetime,
    *,
    generation: int,
    attempt: int,
    reason: str,
    reply_code: int | None,
) -> list[Event]:
    """Record that the relay could not take it now, and when it is tried again."""
    return [
        RelayDeferred(
            envelope_id=envelope.envelope_id,
            contact_id=envelope.contact_id,
            generation=generation,
            attempt=attempt,
            reason=reason,
            reply_code=reply_code,
            next_at=at + wait_after(envelope.envelope_id, attempt),
        )
    ]


def decide_failure(
    envelope: Envelope,
    *,
    generation: int,
    attempt: int,
    reason: str,
    reply_code: int | None = None,
) -> list[Event]:
    """Record that it will not be delivered; nothing if that is settled already."""
    if envelope.generation != generation or envelope.relay.over:
        return []
    return [
        RelayFailed(
            envelope_id=envelope.envelope_id,
            contact_id=envelope.contact_id,
            generation=generation,
            attempt=attempt,
            reason=reason,
            reply_code=reply_code,
        )
    ]


def wait_after(name: str, attempt: int) -> timedelta:
    """Return the wait after `attempt`, from 1: doubling, 1 minute to 1 hour.

    Spread by a fifth either way, by `name`, so that a relay that comes back is not met
    by all at once.
    """
    wait = min(FIRST_WAIT * (1 << min(attempt - 1, 6)), LONGEST_WAIT)
    seed = hashlib.sha256(f"{name}/{attempt}".encode()).digest()
    return wait * (0.8 + 0.4 * seed[0] / 255)
