"""What may be written down as a revision, before anybody is asked to approve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.letters.commands import DraftPage
from services.letters.errors import LetterInvalid
from services.letters.model.form import Fields, well_formed
from services.letters.model.text import PAGE, TITLE, line, lines

LONGEST_BODY: Final = 100_000  # bytes, UTF-8
KINDS: Final = frozenset({"note", "task", "workflow"})
PAGE_TYPES: Final = frozenset({"letter", "form"})
NOT_IN_TITLES: Final = ("=?", "{{", "}}")  # an encoded word of RFC 2047; placeholders


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A revision as it is kept: NFC, newlines, trimmed."""

    page_type: str
    title: str
    body: str
    kind: str
    answers: str | None
    form: Fields


def written(request: DraftPage) -> Written:
    """Return what was asked to be written down, in the form in which it is kept.

    A draft may be unfinished; what may not stand even in a draft is refused.

    Raises:
        LetterInvalid: says what.
    """
    if request.page_type not in PAGE_TYPES or request.kind not in KINDS:
        message = "A page is a letter or a form; its kind is note, task or workflow."
        raise LetterInvalid(message)
    if request.page_type == "letter" and request.form:
        message = "Only a form has fields."
        raise LetterInvalid(message)
    if request.page_type == "form" and request.answers is not None:
        message = "Only a letter answers a form."
        raise LetterInvalid(message)
    if request.answers is not None and not PAGE.fullmatch(request.answers):
        message = "The form it answers is named by six digits."
        raise LetterInvalid(message)
    return Written(
        page_type=request.page_type,
        title=title_of(request.title),
        body=body_of(request.body),
        kind=request.kind,
        answers=request.answers,
        form=well_formed(request.form),
    )


def title_of(value: str) -> str:
    """Return the title, NFC and trimmed. Raises LetterInvalid."""
    title = line(value, TITLE)
    if title is None or any(mark in title for mark in NOT_IN_TITLES):
        message = "The title is one line of 3 to 120 characters, without placeholders."
        raise LetterInvalid(message)
    return title


def body_of(value: str) -> str:
    """Return the text, NFC, with newlines. Raises LetterInvalid."""
    if len(value) > LONGEST_BODY:
        raise LetterInvalid(_TOO_LONG)
    body = lines(value)
    if body is None:
        message = "The text holds characters that cannot be seen."
        raise LetterInvalid(message)
    if len(body.encode()) > LONGEST_BODY:
        raise LetterInvalid(_TOO_LONG)
    return body


_TOO_LONG: Final = "The text is longer than a letter may be (100,000 bytes)."
