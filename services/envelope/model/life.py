"""Rules of an envelope's life: ending it, extending it, a fresh link, its expiry."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Literal

from services.envelope.errors import (
    EnvelopeUnknown,
    ExpiryInvalid,
    ExpiryTooLate,
    RenewalRefused,
)
from services.envelope.events import (
    EnvelopeExpired,
    EnvelopeExpiryChanged,
    LinkRenewed,
)
from services.envelope.model.sending import LIFE
from services.envelope.model.state import Envelope
from shared.events import Event

ASK_EVERY: Final = timedelta(hours=24)
"""A recipient gets one fresh envelope in this time."""

_REASON: Final = re.compile("[a-z][a-z0-9_]{1,39}")


def decide_expiry(
    envelope: Envelope, expires_at: datetime, reason: str, at: datetime
) -> list[Event]:
    """Set the expiry anew. At or before `at`, it disables the envelope for good.

    Any earlier moment may be set, also one years ago; a later one only within 7 days
    of the sending or the newest renewal, and never once the envelope is disabled.
    Nothing before `at` is rewritten: the fact tells the date that was set.

    Raises:
        EnvelopeUnknown: it was never sent, or its sending was undone.
        ExpiryInvalid: no change, no time zone, or the reason is not a code word.
        ExpiryTooLate: later than an envelope may live.
    """
    if not envelope.envelope_id or envelope.cancelled_at is not None:
        raise EnvelopeUnknown
    if expires_at.tzinfo is None:
        raise ExpiryInvalid("Give the expiry with its time zone.")
    if not _REASON.fullmatch(reason):
        raise ExpiryInvalid("Choose a reason from the list.")
    if expires_at == envelope.expires_at:
        raise ExpiryInvalid("The envelope ends at that moment already.")
    if expires_at > at:
        if envelope.disabled_at is not None:
            raise ExpiryInvalid("It was switched off for good; send the letter anew.")
        if expires_at > envelope.life_from + LIFE:
            raise ExpiryTooLate
    return [
        EnvelopeExpiryChanged(
            envelope_id=envelope.envelope_id,
            contact_id=envelope.contact_id,
            expires_at=expires_at,
            reason=reason,
            viewed_before=envelope.viewed_at is not None,
        )
    ]


def may_ask_fresh(envelope: Envelope, state: str, at: datetime) -> bool:
    """Say whether the holder of a link that ended may have a fresh one now."""
    return (
        state in ("expired", "replaced")
        and envelope.disabled_at is None
        and (envelope.asked_at is None or at >= envelope.asked_at + ASK_EVERY)
    )


def decide_renewal(
    envelope: Envelope,
    at: datetime,
    *,
    asked_by: Literal["recipient", "staff"],
    state: str,
    link_hash: Callable[[int], str],
    life: timedelta = LIFE,
) -> list[Event]:
    """Make a fresh link that lives `life`, at most 7 days, from `at`.

    `state` is that of the link that was shown (staff: of the newest); `link_hash`
    gives the SHA-256 of the token of a generation.

    Raises:
        EnvelopeUnknown: it was never sent, or has not left.
        RenewalRefused: it was disabled, still works, or was renewed a while ago.
    """
    if not envelope.consigned or envelope.cancelled_at is not None:
        raise EnvelopeUnknown
    if envelope.disabled_at is not None:
        raise RenewalRefused("The sender switched this link off for good.")
    if asked_by == "staff" and not envelope.relay.over:
        raise RenewalRefused("The newest envelope is still on its way.")
    if asked_by == "recipient" and not may_ask_fresh(envelope, state, at):
        raise RenewalRefused
    generation = envelope.generation + 1
    return [
        LinkRenewed(
            envelope_id=envelope.envelope_id,
            contact_id=envelope.contact_id,
            generation=generation,
            expires_at=at + min(life, LIFE),
            asked_by=asked_by,
            link_hash=link_hash(generation),
        )
    ]


def decide_expired(envelope: Envelope, at: datetime) -> list[Event]:
    """Record that the life ended by time; once for each life."""
    if (
        not envelope.envelope_id
        or envelope.expiry_noted
        or envelope.cancelled_at is not None
        or envelope.disabled_at is not None
        or at < envelope.expires_at
    ):
        return []
    return [
        EnvelopeExpired(
            envelope_id=envelope.envelope_id,
            contact_id=envelope.contact_id,
            viewed=envelope.viewed_at is not None,
            reason="expired",
        )
    ]
