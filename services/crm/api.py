"""Every operation the contacts service offers, and the views it answers with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.crm.commands import (
    ChangeContact,
    CheckCode,
    CheckFact,
    CreateContact,
    ForgetContact,
    GetContact,
    IssueCode,
    PermitSend,
    ReadCode,
    SearchContacts,
    SetStop,
)
from shared.context import CallContext, Done


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRow:
    """One line of a search result."""

    contact_id: str
    kind: str
    formal_name: str
    masked_email: str  # "t•••@example.com"
    postcode_area: str  # first half of the postcode, or ""
    customer_reference: str
    company: str
    stops: tuple[str, ...]  # of marketing, messages, all
    erased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPage:
    """Search results, and whether more would have matched."""

    rows: tuple[ContactRow, ...]
    more: bool
    fresh: bool = True  # False: still updating, newer changes may be missing


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactView:
    """One contact in full, as staff may see it."""

    contact_id: str
    kind: str
    title: str
    given: str
    family: str
    formal_name: str
    salutation: str
    email: str
    masked_email: str
    postcode: str
    birth_date: str
    customer_reference: str
    company: str
    facts: tuple[str, ...]
    stops: tuple[str, ...]
    created_at: datetime
    email_changed_at: datetime | None  # None: as it was first entered
    look_alikes: tuple[ContactRow, ...]  # others whose names could be mistaken for it
    fresh: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """What a sending needs to know of a contact, from the stream itself."""

    contact_id: str
    kind: str
    formal_name: str
    salutation: str
    family: str
    initials: str
    email: str
    masked_email: str
    facts: tuple[str, ...]  # of postcode, birth_date, customer_reference, in that order
    stops: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """One granted attempt, and where to send it."""

    position: int
    formal_name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeMail:
    """A one-time code on its way to the address on file."""

    code: str  # six digits
    email: str
    formal_name: str
    expires_at: datetime


class CrmApi(Protocol):
    """Operations of the contacts service."""

    def create(self, request: CreateContact, context: CallContext) -> Done:
        """Enter a person; `ref` is the contact id. Raises ContactInvalid."""
        ...

    def change(self, request: ChangeContact, context: CallContext) -> Done:
        """Replace details. Raises ContactUnknown, ContactInvalid, ContactErased."""
        ...

    def set_stop(self, request: SetStop, context: CallContext) -> Done:
        """Record a choice. Raises ContactUnknown, ContactErased, ContactInvalid."""
        ...

    def permit(self, request: PermitSend, context: CallContext) -> Permit:
        """Grant one. Raises ContactUnknown, ContactHasStopped, ContactErased."""
        ...

    def issue_code(self, request: IssueCode, context: CallContext) -> Done:
        """Make a code; `ref` is its id. Raises ContactErased, CodeLocked."""
        ...

    def read_code(self, request: ReadCode, context: CallContext) -> CodeMail:
        """Return a live code for mailing. Raises ContactUnknown."""
        ...

    def check_code(self, request: CheckCode, context: CallContext) -> bool:
        """Try a code; True uses it up. Raises CodeLocked after five wrong ones."""
        ...

    def check_fact(self, request: CheckFact, context: CallContext) -> bool:
        """Compare a known fact, forgiving case, spaces and punctuation."""
        ...

    def forget(self, request: ForgetContact, context: CallContext) -> Done:
        """Erase a person. Raises ContactUnknown."""
        ...

    def search(self, request: SearchContacts, context: CallContext) -> ContactPage:
        """Find people."""
        ...

    def contact(self, request: GetContact, context: CallContext) -> ContactView:
        """Return one contact. Raises ContactUnknown."""
        ...

    def recipient(self, request: GetContact, context: CallContext) -> Recipient:
        """Return a contact as a recipient. Raises ContactUnknown, ContactErased."""
        ...
