"""What is remembered of a page, and which of its revisions is in force."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.letters.errors import LetterIsWithdrawn, LetterNotApproved, PageUnknown
from services.letters.events import (
    LetterApproved,
    LetterDrafted,
    LetterReturned,
    LetterSubmitted,
    LetterWithdrawn,
)
from services.letters.model.form import Fields, from_json, plain
from shared.events import Event, Sealed

LETTER: Final = "letter"
FORM: Final = "form"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One state of a page's text."""

    page: str
    number: int
    page_type: str
    title: str
    body: str
    kind: str
    answers: str | None
    form: Fields
    author_id: str
    letter_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The revision in force, and how it may be sent."""

    revision: Revision
    letter_class: str
    purpose: str
    fact_required: bool
    approved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the rules need to remember; issued letters leave no trace in it."""

    newest: Revision | None = None
    status: str = ""  # of the newest revision: draft, submitted, approved or returned
    approved: Approval | None = None
    withdrawn: bool = False
    types: tuple[tuple[str, str], ...] = ()  # of every field that was ever approved

    @property
    def field_types(self) -> dict[str, str]:
        """Return name -> type of every field this form ever had in force."""
        return dict(self.types)


def hash_of(revision: Revision) -> str:
    """Return the SHA-256 of the canonical revision, 64 hex digits.

    Canonical is JSON, UTF-8, sorted keys, no spaces, of page, revision, page_type,
    title, body, kind, answers and form (a list of fields).
    """
    content = {
        "page": revision.page,
        "revision": revision.number,
        "page_type": revision.page_type,
        "title": revision.title,
        "body": revision.body,
        "kind": revision.kind,
        "answers": revision.answers,
        "form": plain(revision.form),
    }
    text = json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def in_force(page: Page) -> Approval:
    """Return the approved revision, which may be sent now.

    Raises:
        PageUnknown, LetterIsWithdrawn, LetterNotApproved: there is none.
    """
    known(page)
    if page.withdrawn:
        raise LetterIsWithdrawn
    if page.approved is None:
        raise LetterNotApproved
    return page.approved


def known(page: Page) -> Revision:
    """Return the newest revision. Raises PageUnknown."""
    if page.newest is None:
        raise PageUnknown
    return page.newest


def evolve(page: Page, event: Event) -> Page:
    """Apply one fact. Total: a fact this version does not know changes nothing."""
    newest = page.newest
    match event:
        case LetterDrafted():
            return replace(page, newest=revision_of(event), status="draft")
        case LetterSubmitted() if newest and newest.number == event.revision:
            return replace(page, status="submitted")
        case LetterReturned() if newest and newest.number == event.revision:
            return replace(page, status="returned")
        case LetterWithdrawn():
            return replace(page, withdrawn=True)
        case LetterApproved() if newest and newest.number == event.revision:
            types = {**dict(page.types), **{f.name: f.type for f in newest.form}}
            return replace(
                page,
                status="approved",
                approved=approval_of(newest, event),
                types=tuple(sorted(types.items())),
            )
        case _:
            return page


def revision_of(event: LetterDrafted) -> Revision:
    """Return the revision a fact wrote; without its text where no key opens it."""
    body = "" if isinstance(event.body, Sealed) else event.body
    form = "" if isinstance(event.form, Sealed) else event.form
    return Revision(
        page=event.page,
        number=event.revision,
        page_type=event.page_type,
        title=event.title,
        body=body,
        kind=event.kind,
        answers=event.answers,
        form=from_json(form),
        author_id=event.author_id,
        letter_hash=event.letter_hash,
    )


def approval_of(revision: Revision, event: LetterApproved) -> Approval:
    """Return the approval that a fact gave to its revision."""
    return Approval(
        revision=revision,
        letter_class=event.letter_class,
        purpose=event.purpose,
        fact_required=event.fact_required,
        approved_at=event.approved_at,
    )
