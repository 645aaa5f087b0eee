"""Rules of sending: how the recipient is checked, how long it lives, undoing it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from services.crm.errors import ContactHasStopped
from services.envelope.errors import (
    EnvelopeUnknown,
    ExpiryInvalid,
    ExpiryTooLate,
    FactMissing,
    TooLateToCancel,
)
from services.envelope.events import EnvelopeCancelled, LetterConsigned
from services.envelope.model.state import Envelope
from services.letters.errors import SecretNotOffered
from shared.events import Event

LIFE: Final = timedelta(days=7)
"""No envelope lives longer, whatever is asked or set."""

SENDINGS: Final = 60
SENDINGS_WITHIN: Final = timedelta(hours=1)
"""One person sends at most `SENDINGS` letters in `SENDINGS_WITHIN`."""

LATELY: Final = timedelta(hours=24)
MOVED_LATELY: Final = timedelta(days=14)
"""What the send page warns of: sent lately, an address changed lately."""

FACTS: Final = ("postcode", "birth_date", "customer_reference")
GRADES: Final = {
    "family_name": 2,
    "postcode": 3,
    "birth_date": 3,
    "customer_reference": 3,
    "request_number": 3,
    "code": 3,
}
"""Every means of checking a recipient, and the grade that it proves."""


def choose_check(
    letter_class: str,
    facts: Sequence[str],
    *,
    own_request: bool,
    fact_required: bool,
) -> str:
    """Return how the recipient will be checked; never silently less than asked.

    `own_request`: the letter shows a request that the recipient made, whose number is
    therefore known to them.

    Raises:
        FactMissing: the letter must not open by a code, and nothing is on file.
        SecretNotOffered: the class is secret, or one this program does not know.
    """
    if letter_class == "open":
        return "family_name"
    if letter_class != "private":
        raise SecretNotOffered
    on_file = [fact for fact in FACTS if fact in facts]
    check = on_file[0] if on_file else "request_number" if own_request else "code"
    if check == "code" and fact_required:
        raise FactMissing
    return check


def refuse_stopped(stops: Sequence[str], purpose: str) -> None:
    """Obey the person's stops.

    Raises:
        ContactHasStopped: a stop stands against this mail.
    """
    if "all" in stops or "messages" in stops:
        raise ContactHasStopped
    if purpose != "service" and "marketing" in stops:
        raise ContactHasStopped


def expiry_of(wish: datetime | None, at: datetime, life: timedelta = LIFE) -> datetime:
    """Return when an envelope sent at `at` ends; without a wish, after `life`.

    Raises:
        ExpiryInvalid: the wish is past, or has no time zone.
        ExpiryTooLate: the wish is later than 7 days from `at`.
    """
    if wish is None:
        return at + min(life, LIFE)
    if wish.tzinfo is None or wish <= at:
        raise ExpiryInvalid("Choose an expiry in the future.")
    if wish > at + LIFE:
        raise ExpiryTooLate
    return wish


def decide_cancel(envelope: Envelope, at: datetime) -> list[Event]:
    """Undo a sending inside its window; undoing it again changes nothing.

    Raises:
        EnvelopeUnknown: it was never sent.
        TooLateToCancel: the window is over.
    """
    if not envelope.envelope_id:
        raise EnvelopeUnknown
    if envelope.cancelled_at is not None:
        return []
    if envelope.consigned or at >= envelope.release_at:
        raise TooLateToCancel
    return [
        EnvelopeCancelled(
            envelope_id=envelope.envelope_id, contact_id=envelope.contact_id
        )
    ]


def decide_consign(envelope: Envelope, at: datetime) -> list[Event]:
    """Put the letter into the folder once the undo window is over; once."""
    if (
        not envelope.envelope_id
        or envelope.consigned
        or envelope.cancelled_at is not None
        or at < envelope.release_at
    ):
        return []
    return [
        LetterConsigned(
            envelope_id=envelope.envelope_id, contact_id=envelope.contact_id
        )
    ]
