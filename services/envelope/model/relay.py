"""Rules of the postman: what is due, what an attempt is, when to try again.

An attempt that certainly failed is repeated until the envelope ends. One of unknown
outcome may have been a mail: it is repeated once, and then a person decides.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final, Literal

from services.envelope.events import (
    EnvelopeRelayed,
    RelayAttempted,
    RelayDeferred,
    RelayFailed,
    RelayUnconfirmed,
)
from services.envelope.model.state import CUT_OFF, NO_REPLY, Envelope
from shared.events import Event

FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=1)
LEASE: Final = timedelta(minutes=2)
"""How long another postman may still be busy with an attempt it began."""

NOT_BEGUN: Final = "store_unavailable"  # reason: nothing was offered to the relay
DOUBTS: Final = 2
"""Attempts with one link at which the relay may have taken it: then no more."""

Due = Literal["nothing", "consign", "expired", "unconfirmed", "attempt"]


class RaceLost(Exception):
    """Another postman began this attempt first, so this one sends nothing."""


def due(envelope: Envelope, at: datetime, *, alone: bool) -> Due:
    """Return what the postman has to do for an envelope at `at`.

    `alone`: no other postman can be at work, so an attempt without outcome is one that
    a crash cut off. Otherwise it is left alone for `LEASE`.
    """
    relay = envelope.relay
    if not envelope.envelope_id or envelope.cancelled_at is not None:
        return "nothing"
    if relay.over or at < envelope.release_at:
        return "nothing"
    if not envelope.consigned:
        return "consign"
    if relay.unanswered and not alone and at < relay.attempted_at + LEASE:
        return "nothing"
    if at >= envelope.expires_at or envelope.disabled_at is not None:
        return "expired"
    ready: Due = "unconfirmed" if relay.doubts >= DOUBTS else "attempt"
    return "nothing" if at < relay.next_at else ready


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
            repeat=envelope.relay.doubts > 0,
        )
    ]


def decide_relayed(
    envelope: Envelope, *, generation: int, attempt: int, reply_code: int, tls: bool
) -> list[Event]:
    """Record that the relay took it, however late that is known."""
    return [
        EnvelopeRelayed(
            envelope_id=envelope.envelope_id,
            contact_id=envelope.contact_id,
            generation=generation,
            attempt=attempt,
            reply_code=reply_code,
            tls=tls,
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
    """Record that the relay did not confirm it, and when it is tried again.

    If it may have taken it twice by now, nothing is tried again. Nothing is recorded
    of an attempt whose intent was never written, or once all is settled.
    """
    relay = envelope.relay
    if envelope.generation != generation and reason == NOT_BEGUN:
        return []
    if envelope.generation == generation:
        if attempt > relay.attempts or relay.over:
            return []
        if reason == NO_REPLY and relay.doubts >= DOUBTS:
            return decide_failure(
                envelope, generation=generation, attempt=attempt, reason=reason
            )
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
    """Record that it is not tried again; nothing if that is settled already.

    It failed only if the relay took it at no attempt; `reply_code` is the refusal of
    the present one.
    """
    relay = envelope.relay
    if envelope.generation != generation or relay.over:
        return []
    doubts = relay.doubts - (reply_code is not None)
    kind = RelayUnconfirmed if doubts > 0 else RelayFailed
    return [
        kind(
            envelope_id=envelope.envelope_id,
            contact_id=envelope.contact_id,
            generation=generation,
            attempt=attempt,
            reason=reason,
            reply_code=reply_code,
        )
    ]


def decide_unconfirmed(envelope: Envelope) -> list[Event]:
    """Record that it may have been taken as often as it may be; once."""
    relay = envelope.relay
    if relay.doubts < DOUBTS:
        return []
    return decide_failure(
        envelope,
        generation=envelope.generation,
        attempt=relay.attempts,
        reason=CUT_OFF if relay.unanswered else NO_REPLY,
    )


def wait_after(name: str, attempt: int) -> timedelta:
    """Return the wait after `attempt`, from 1: doubling, 1 minute to 1 hour.

    Spread by a fifth either way, by `name`, so that a relay that comes back is not met
    by all at once.
    """
    wait = min(FIRST_WAIT * (1 << min(attempt - 1, 6)), LONGEST_WAIT)
    seed = hashlib.sha256(f"{name}/{attempt}".encode()).digest()
    return wait * (0.8 + 0.4 * seed[0] / 255)
