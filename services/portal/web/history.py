"""Lines of the trail made into lines of a timeline: what, who, how it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from services.audit.api import TrailLine
from services.portal.web.words import (
    EVENTS,
    FAILURES,
    MEANS,
    OPERATIONS,
    REASONS,
    grade,
)
from shared.web.trail import Entry
from shared.web.words import moment

FETCHED: Final = "LinkFetched"
MARKS: Final[Mapping[str, str]] = {  # events that change what a list shows
    "EnvelopeSent": "accepted",
    "EnvelopeCancelled": "cancelled",
    "EnvelopeRelayed": "sent",
    "RelayFailed": "not_delivered",
    "RelayUnconfirmed": "unconfirmed",
    "EnvelopeViewed": "viewed",
    "LinkRenewed": "renewed",
    "LetterRecalled": "recalled",
}
BY_HOLDER: Final = frozenset({"EnvelopeViewed", "LetterShown", "AnswerRejected"})


def entries(lines: Sequence[TrailLine], names: Mapping[str, str]) -> list[Entry]:
    """Return the timeline of one message, newest first; link fetches in a row fold.

    Args:
        lines: of one envelope, oldest first.
        names: formal name of each member of staff, by id.
    """
    made: list[Entry] = []
    for automatic, run in groupby(lines, key=lambda line: line.event == FETCHED):
        if automatic:
            made.append(_fetches(list(run)))
        else:
            made += [_entry(line, names) for line in run]
    return made[::-1]


def who(line: TrailLine, names: Mapping[str, str]) -> str:
    """Say who acted, as far as it is known; nobody is guessed at."""
    match line.actor_kind:
        case "staff":
            return names.get(line.actor, "A member of staff who is not listed")
        case "recipient" if line.event in BY_HOLDER and line.grade:
            return "Whoever held the link and passed the check"
        case "recipient":
            return "Whoever held the link"
        case "service":
            return "Letterlock, by itself"
        case _:
            return "Unknown"


def title(line: TrailLine) -> str:
    """Say in plain words what happened."""
    if line.event == "Refused":
        asked = details(line).get("operation", "")
        return f"Refused: {OPERATIONS.get(asked, asked.replace('_', ' '))}"
    return EVENTS.get(line.event, line.event)


def how(line: TrailLine) -> str:
    """Say how the fact is known, or what it rests on; empty if there is no more."""
    told = details(line)
    match line.event:
        case "EnvelopeViewed" | "LetterShown":
            return grade(line.grade, line.means)
        case "AnswerRejected":
            return MEANS.get(line.means or "", "")
        case "EnvelopeSent":
            return f"page {line.page}, edition {line.revision}" if line.page else ""
        case "EnvelopeRelayed":
            return f"answer {told.get('reply_code', 'unknown')}, " + (
                "over TLS" if told.get("tls") == "yes" else "not over TLS"
            )
        case "RelayAttempted" if told.get("repeat") == "yes":
            return "once more, the same message: the first one may have arrived"
        case "RelayDeferred" | "RelayFailed" | "RelayUnconfirmed":
            return FAILURES.get(line.reason or "", _spaced(line.reason))
        case "EnvelopeExpiryChanged":
            seen = told.get("viewed_before") == "yes"
            return "; ".join(
                part
                for part in (
                    f"set to {_instant(told.get('expires_at', 'unknown'))}",
                    REASONS.get(line.reason or "", _spaced(line.reason)).lower(),
                    "it had been viewed" if seen else "it had not been viewed",
                )
                if part
            )
        case "LinkRenewed":
            return f"asked for by {told.get('asked_by', 'unknown')}"
        case _:
            return _spaced(line.reason)


def _instant(text: str) -> str:
    """Return an instant of a line's detail in words, or as it stands."""
    try:
        return moment(datetime.fromisoformat(text))
    except ValueError:
        return text


def details(line: TrailLine) -> dict[str, str]:
    """Return the pairs in a line's detail."""
    pairs = (part.partition("=") for part in (line.detail or "").split("; ") if part)
    return {name: value for name, _equals, value in pairs}


def _entry(line: TrailLine, names: Mapping[str, str]) -> Entry:
    return Entry(
        at=line.at,
        title=title(line),
        who=who(line, names),
        how=how(line),
        state=_mark(line),
    )


def _mark(line: TrailLine) -> str:
    if line.event == "EnvelopeExpired":
        return "" if details(line).get("viewed") == "yes" else "lapsed"
    if line.event == "EnvelopeExpiryChanged":
        set_to = details(line).get("expires_at", "")
        return (
            "disabled" if set_to and set_to <= f"{line.at:%Y-%m-%dT%H:%M:%S}Z" else ""
        )
    return MARKS.get(line.event, "")


def _fetches(run: Sequence[TrailLine]) -> Entry:
    each = tuple(Entry(at=line.at, title="Link fetched") for line in run)
    return Entry(
        at=run[-1].at,
        title="Link opened (may be automatic)",
        who="Unknown",
        how="fetching a link never counts as a view",
        automatic=each,
    )


def _spaced(code: str | None) -> str:
    return (code or "").replace("_", " ")
