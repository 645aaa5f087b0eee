"""Facts about pages and records. Append-only file: add a version, never edit one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.events import Event, Private, fact


@fact(confidential=("body", "form"))
@dataclass(frozen=True, slots=True, kw_only=True)
class LetterDrafted(Event):
    """A revision of a page was written; the first one makes the page."""

    page: str  # six digits
    revision: int  # from 1
    page_type: str  # letter or form
    title: str
    body: Private  # Markdown with {{placeholders}}
    kind: str  # note, task or workflow
    answers: str | None  # page number of the form whose records it shows
    form: Private  # JSON list of fields; "" for a letter
    letter_hash: str  # SHA-256 of the canonical revision, 64 hex digits
    author_id: str  # of staff; may not approve it


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class LetterSubmitted(Event):
    """The author asked for approval of this revision."""

    page: str
    revision: int


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class LetterApproved(Event):
    """An executive other than the author approved this revision for sending."""

    page: str
    revision: int
    letter_class: str  # open, private or secret
    purpose: str  # service or marketing
    fact_required: bool  # no one-time code in place of a known fact
    letter_hash: str
    approver_id: str  # of staff
    approved_at: datetime  # aware, UTC; as in its metadata


@fact(confidential=("comment",))
@dataclass(frozen=True, slots=True, kw_only=True)
class LetterReturned(Event):
    """The executive sent this revision back to its author."""

    page: str
    revision: int
    comment: Private  # why, in the executive's words


@fact(confidential=("comment",))
@dataclass(frozen=True, slots=True, kw_only=True)
class LetterWithdrawn(Event):
    """No new sends of this page; letters already sent stay as they were."""

    page: str
    comment: Private  # why, in the executive's words


@fact(personal=("fields",))
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSaved(Event):
    """A request on a form was recorded, or its values were corrected."""

    record: str  # <page>-NNNNNN
    page: str
    contact_id: str  # the author
    subject_id: str | None  # the contact it is about, if another
    assignee_id: str | None  # the contact it is assigned to, if any
    fields: Private  # JSON object, field name -> typed value
    revision: int  # from 1


@fact(etsi=None)
@dataclass(frozen=True, slots=True, kw_only=True)
class LetterIssued(Event):
    """The approved revision was merged for one contact and one envelope."""

    page: str
    revision: int
    letter_hash: str
    contact_id: str
    envelope_id: str
    record_revision: int | None  # which state of the record was merged
