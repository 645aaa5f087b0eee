"""What the trail takes from a fact, whatever fact it is. Pure.

The names below are the only ones looked for, so a new event needs no edit here as long
as it says what it has to say under them; it is on the trail in any case, with all its
metadata. A field that its event declares private is never taken, nor is text that does
not look like a code: so no name, address or sentence can slip into the evidence.
"""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from services.audit.commands import SealIdentity
from shared.errors import Malformed
from shared.events import Event

DETAILS: Final = (
    # what was asked for, and how it went
    *("operation", "outcome", "service", "check", "kind", "letter_class", "purpose"),
    *("fact_required", "page_type", "answers", "asked_by"),
    # which try, and what came back
    *("generation", "attempt", "permit", "repeat", "reply_code", "tls", "next_at"),
    # what a person chose
    *("stop", "door", "wording", "facts", "changed"),
    # dates set, and what was so when they took effect
    *("approved_at", "release_at", "expires_at", "viewed", "viewed_before"),
    # what else the fact is about
    *("record_revision", "notice_id", "code_id", "staff_id", "granted", "revoked"),
)
"""The fields told as `detail`, in this order."""

Told = tuple[str | None, str | None, int | None, str | None, str | None]
_TOLD: Final = ("means", "page", "revision", "letter_hash", "rendition")
_NOTHING: Final[Told] = (None, None, None, None, None)
_CODE: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


def told_of(event: Event) -> Told:
    """Return means, page, revision, letter hash and rendition.

    None for each that the event does not have, keeps private, or fills with something
    else than a code or hash; of the revision, than a whole number.
    """
    kind: Any = type(event)  # mypy doubts that a class of events is hashable
    names = _told_by(kind)
    if not names:
        return _NOTHING
    told = {name: getattr(event, name) for name in names}.get
    return (
        _code(told("means")),
        _code(told("page")),
        _number(told("revision")),
        _code(told("letter_hash")),
        _code(told("rendition")),
    )


def detail_of(event: Event) -> str | None:
    """Return the rest of the fact as "name=value; name=value", None if there is none.

    Times are UTC in ISO 8601 with Z and microseconds only where they are not zero,
    truths are "yes" and "no", lists are joined by commas. The same fact always gives
    the same text, which goes into the evidence log.
    """
    kind: Any = type(event)  # mypy doubts that a class of events is hashable
    told = []
    for name in _details_of(kind):
        value = getattr(event, name)
        word = _code(value) if type(value) is str else _word(value)
        if word:
            told.append(f"{name}={word}")
    return "; ".join(told) or None


def person_of(request: SealIdentity) -> bytes:
    """Return who the recipient was as canonical JSON: NFC, sorted keys, UTF-8.

    Raises:
        Malformed: the contact or the envelope is not named by an id, or the person
            has no name.
    """
    for value in (request.contact_id, request.envelope_id):
        if not _CODE.fullmatch(value):
            raise Malformed("An identity is sealed for one contact and one envelope.")
    if not request.formal_name.strip():
        raise Malformed("An identity without a name proves nothing.")
    plain = json.dumps(
        {
            "email": unicodedata.normalize("NFC", request.email),
            "formal_name": unicodedata.normalize("NFC", request.formal_name),
        },
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return plain.encode()


@cache
def _details_of(cls: Any) -> tuple[str, ...]:
    return _open(cls, DETAILS)


@cache
def _told_by(cls: Any) -> tuple[str, ...]:
    return _open(cls, _TOLD)


def _open(cls: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    private = {*cls.personal, *cls.confidential}
    return tuple(n for n in names if hasattr(cls, n) and n not in private)


def _code(value: object) -> str | None:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _word(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case str() if _CODE.fullmatch(value):
            return value
        case tuple():
            return ",".join(word for word in map(_word, value) if word)
        case _:
            return ""
