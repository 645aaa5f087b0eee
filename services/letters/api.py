"""Every operation the letters service offers, and the views it answers with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.letters.commands import (
    ApprovePage,
    DraftPage,
    FormField,
    GetPage,
    GetRecord,
    IssueLetter,
    PreviewLetter,
    PreviewMarkup,
    ReturnPage,
    SaveRecord,
    SearchPages,
    SearchRecords,
    SubmitPage,
    WithdrawPage,
)
from shared.context import CallContext, Done


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """One line of a list of pages."""

    page: str
    page_type: str
    title: str  # of the approved revision, else of the newest
    kind: str
    status: str  # draft, submitted, approved, withdrawn
    revision: int  # newest
    approved_revision: int | None
    letter_class: str | None
    purpose: str | None
    answers: str | None
    changed_at: datetime
    author_id: str  # of the newest revision


@dataclass(frozen=True, slots=True, kw_only=True)
class PageList:
    """Pages found, and whether more would have matched."""

    rows: tuple[PageRow, ...]
    more: bool
    fresh: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionView:
    """One revision of a page, and what became of it."""

    revision: int
    title: str
    body: str
    kind: str
    author_id: str
    drafted_at: datetime
    status: str  # draft, submitted, approved, returned, superseded
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None  # why it was returned
    letter_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """One page with all its revisions, newest first."""

    row: PageRow
    fact_required: bool
    withdrawn_reason: str | None
    revisions: tuple[RevisionView, ...]
    form: tuple[FormField, ...]
    placeholders: tuple[str, ...]  # used by the newest revision
    fresh: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """A letter merged for one contact. HTML is a safe fragment without scripts."""

    page: str
    revision: int
    letter_hash: str
    title: str
    kind: str
    letter_class: str
    purpose: str
    fact_required: bool
    html: str
    approved_at: datetime | None
    gaps: tuple[str, ...] = ()  # placeholders without a value, in previews only
    record_summary: str = ""  # one line about the record, for staff
    request_author: bool = False  # the contact made the request shown
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """One line of a list of records."""

    record: str
    page: str
    form_title: str
    summary: str
    author_id: str
    subject_id: str | None
    assignee_id: str | None
    saved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordList:
    """Records found."""

    rows: tuple[RecordRow, ...]
    fresh: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordView:
    """One record with its values, as (label, value) in the form's order."""

    row: RecordRow
    revision: int
    fields: tuple[tuple[str, str], ...]
    values: dict[str, str]
    fresh: bool = True


class LettersApi(Protocol):
    """Operations of the letters service."""

    def draft(self, request: DraftPage, context: CallContext) -> Done:
        """Write a revision; `ref` is the page number. Raises LetterInvalid."""
        ...

    def submit(self, request: SubmitPage, context: CallContext) -> Done:
        """Ask for approval. Raises PageUnknown, LetterInvalid (names every gap)."""
        ...

    def approve(self, request: ApprovePage, context: CallContext) -> Done:
        """Approve. Raises AuthorCannotApprove, NotSubmitted, SecretNotOffered."""
        ...

    def return_(self, request: ReturnPage, context: CallContext) -> Done:
        """Send back with a reason. Raises NotSubmitted."""
        ...

    def withdraw(self, request: WithdrawPage, context: CallContext) -> Done:
        """Stop new sends. Raises PageUnknown, LetterNotApproved."""
        ...

    def save_record(self, request: SaveRecord, context: CallContext) -> Done:
        """Record a request; `ref` is its key. Raises RecordInvalid, PageUnknown."""
        ...

    def issue(self, request: IssueLetter, context: CallContext) -> Rendition:
        """Merge for sending. Raises as the errors of this service name."""
        ...

    def preview(self, request: PreviewLetter, context: CallContext) -> Rendition:
        """Merge for looking; writes nothing. Raises as `issue` where that applies."""
        ...

    def preview_markup(self, request: PreviewMarkup, context: CallContext) -> Rendition:
        """Show unsaved text with marked sample values."""
        ...

    def pages(self, request: SearchPages, context: CallContext) -> PageList:
        """Find pages."""
        ...

    def page(self, request: GetPage, context: CallContext) -> PageView:
        """Return one page. Raises PageUnknown."""
        ...

    def records(self, request: SearchRecords, context: CallContext) -> RecordList:
        """Find records."""
        ...

    def record(self, request: GetRecord, context: CallContext) -> RecordView:
        """Return one record. Raises RecordUnknown, RecordNotTheirs."""
        ...
