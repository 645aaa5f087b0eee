"""What may be asked of the letters service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One typed field of a form."""

    name: str  # lower-case letters, digits, underscore
    label: str
    type: str  # text, choice, date, money, address, number or quotation
    choices: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftPage:
    """Write a new revision: of a new page, or of `page`."""

    page: str | None = None
    number: str | None = None  # wish for a new page's number, if it is free
    page_type: str = "letter"  # letter or form
    title: str
    body: str
    kind: str = "note"  # note, task or workflow
    answers: str | None = None
    form: tuple[FormField, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitPage:
    """Ask for approval of the newest revision."""

    page: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovePage:
    """Approve the submitted revision, and say how it may be sent."""

    page: str
    revision: int
    letter_class: str = "private"
    purpose: str = "service"
    fact_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnPage:
    """Send the submitted revision back to its author."""

    page: str
    revision: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawPage:
    """Stop new sends of a page."""

    page: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRecord:
    """Record a request on a form, or correct `record`."""

    page: str
    record: str | None = None
    number: str | None = None  # wish for a new record's key, if it is free
    author_id: str
    subject_id: str | None = None
    assignee_id: str | None = None
    fields: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """The details of people that a letter may show."""

    formal_name: str
    salutation: str
    sender_name: str
    organisation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueLetter:
    """Merge an approved page for a contact, and record that it was issued."""

    page: str
    record: str | None
    contact_id: str
    envelope_id: str
    merge: Merge


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewLetter:
    """Merge a page as it would be issued, and write nothing.

    `revision` 0 is the approved one, and all refusals of issuing apply. Another number
    previews that revision as it stands, gaps marked.
    """

    page: str
    record: str | None = None
    contact_id: str | None = None
    merge: Merge
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewMarkup:
    """Show text that is being written, with marked sample values."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPages:
    """Find pages by number or words of the title; empty gives the latest used."""

    query: str = ""
    status: str = ""  # draft, submitted, approved, withdrawn or "" for any
    page_type: str = ""
    limit: int = 20
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPage:
    """Ask for one page."""

    page: str
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRecords:
    """Find records: of a contact (as author, subject or assignee), or of a form."""

    contact_id: str | None = None
    page: str | None = None
    limit: int = 50
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GetRecord:
    """Ask for one record, on behalf of a contact if one is named."""

    record: str
    contact_id: str | None = None
    after: int = 0
