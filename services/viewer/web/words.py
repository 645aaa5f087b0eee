"""Plain words for codes: what the door asks, and what a fact on the trail means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.audit.api import TrailLine
from shared.web.trail import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the door asks for, as a labelled field."""

    label: str
    hint: str = ""
    autocomplete: str = ""
    inputmode: str = ""


QUESTIONS: Final = {
    "family_name": Question(
        label="Your family name",
        hint="As we would write it on a letter to you.",
        autocomplete="family-name",
    ),
    "postcode": Question(
        label="Your postcode",
        hint="Of the address we have on file for you. Capitals do not matter.",
        autocomplete="postal-code",
    ),
    "birth_date": Question(
        label="Your date of birth",
        hint="For example 27 3 1985",
        autocomplete="bday",
    ),
    "customer_reference": Question(
        label="Your customer reference",
        hint="You find it on bills and earlier letters from us.",
    ),
    "request_number": Question(
        label="The number of your request",
        hint="We gave it to you when you made the request.",
    ),
    "code": Question(
        label="The code from the message",
        hint="Six digits. It works for ten minutes, in this browser only.",
        autocomplete="one-time-code",
        inputmode="numeric",
    ),
}

MEANS: Final = {
    "family_name": "family name typed",
    "postcode": "postcode given",
    "birth_date": "date of birth given",
    "customer_reference": "customer reference given",
    "request_number": "request number given",
    "code": "one-time code typed",
}

TITLES: Final = {
    "LetterIssued": ("The approved letter was merged for you", ""),
    "EnvelopeSent": ("Accepted: the letter was sealed for you", "accepted"),
    "EnvelopeCancelled": ("The sending was undone before it left", "cancelled"),
    "LetterConsigned": ("The letter was made ready for you to read", ""),
    "SendPermitted": ("Checked against your choices: it may be sent", ""),
    "RelayAttempted": ("The message was handed to the mail service", ""),
    "EnvelopeRelayed": ("Sent: the mail service took the message", "sent"),
    "RelayDeferred": ("The mail service could not take the message yet", ""),
    "RelayFailed": ("The message could not be delivered", "not_delivered"),
    "RelayUnconfirmed": ("Nobody can tell whether the message arrived", "unconfirmed"),
    "LinkFetched": ("The link was opened (may be automatic)", ""),
    "AnswerRejected": ("An answer did not match", ""),
    "EnvelopeViewed": ("Viewed: the letter was shown for the first time", "viewed"),
    "LetterShown": ("The letter was shown again", ""),
    "EnvelopeExpired": ("The link's life ended", "lapsed"),
    "EnvelopeExpiryChanged": ("The sender changed how long the link works", "disabled"),
    "LinkRenewed": ("A fresh link was made; the earlier one is dead", "renewed"),
    "CodeIssued": ("A one-time code was sent to the address on file", ""),
    "CodeAccepted": ("The one-time code was typed rightly", ""),
    "CodeRejected": ("A wrong code was typed", ""),
}
"""Facts in a recipient's words; one that is not named here keeps its own name."""

WHO: Final = {
    "staff": "A member of staff",
    "recipient": "Whoever held the link",
    "service": "The system",
    "anonymous": "Unknown, perhaps a program",
}


def history(lines: tuple[TrailLine, ...]) -> list[Entry]:
    """Return the timeline that staff see too, oldest first: no fact is left out."""
    return [_entry(line) for line in lines]


def days_left(expires_at: datetime, now: datetime) -> str:
    """Return how long a link still works, in words; days to the nearest."""
    hours = int((expires_at - now).total_seconds() // 3600)
    if hours >= 48:  # noqa: PLR2004 - two days
        return f"{(hours + 12) // 24} days left"
    return f"{hours} hours left" if hours > 1 else "less than two hours left"


def _entry(line: TrailLine) -> Entry:
    title, state = TITLES.get(line.event, (line.event, ""))
    how = ""
    if line.grade is not None:
        how = f"Grade {line.grade}, {MEANS.get(line.means or '', line.means or '')}"
    return Entry(
        at=line.at, title=title, who=WHO.get(line.actor_kind, ""), how=how, state=state
    )
