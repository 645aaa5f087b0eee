"""Facts about contacts. Append-only file: add a version, never edit one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.events import Event, Private, fact

DETAILS = (
    "title",
    "given",
    "family",
    "formal_name",
    "salutation",
    "email",
    "postcode",
    "birth_date",
    "customer_reference",
    "company",
)
"""The personal details of a contact, each sealed under the contact's key."""


@fact(personal=DETAILS)
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactCreated(Event):
    """A person can be written to from now on. Absent details are empty strings."""

    contact_id: str
    kind: str  # customer, supplier or staff
    title: Private
    given: Private
    family: Private
    formal_name: Private  # "Mr Tom Jones"
    salutation: Private  # "Dear Mr Tom Jones"
    email: Private
    postcode: Private
    birth_date: Private  # ISO 8601 date
    customer_reference: Private
    company: Private
    facts: tuple[str, ...]  # which known facts are on file, by name


@fact(personal=DETAILS)
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactChanged(Event):
    """The details as they are from now on; `changed` names those that differ."""

    contact_id: str
    kind: str
    title: Private
    given: Private
    family: Private
    formal_name: Private
    salutation: Private
    email: Private
    postcode: Private
    birth_date: Private
    customer_reference: Private
    company: Private
    facts: tuple[str, ...]
    changed: tuple[str, ...]


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactStopped(Event):
    """The person asked for a stop: marketing, messages (e-mail and SMS) or all."""

    contact_id: str
    stop: str
    door: str  # where the choice was made: portal, or link
    wording: str  # version of the text shown beside the choice


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactStopLifted(Event):
    """The person took a stop back."""

    contact_id: str
    stop: str
    door: str
    wording: str


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class SendPermitted(Event):
    """One attempt to send this envelope was allowed; no stop stood before it."""

    contact_id: str
    envelope_id: str
    purpose: str  # service or marketing
    attempt: int  # from 1


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class CodeIssued(Event):
    """A one-time code was made for one browser that holds a link."""

    contact_id: str
    envelope_id: str
    code_id: str
    browser: str  # keyed hash of the browser that asked, 64 hex digits
    expires_at: datetime


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class CodeAccepted(Event):
    """The code was typed rightly, in time, in the browser that asked; it is used up."""

    contact_id: str
    envelope_id: str
    code_id: str


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRejected(Event):
    """A wrong code was typed; after five the code is dead."""

    contact_id: str
    envelope_id: str
    code_id: str


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactForgotten(Event):
    """The person used the right to be forgotten; every service destroys its keys."""

    contact_id: str
    reason: str


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSuppressed(Event):
    """An erased person's address is not to be entered again; survives the erasure."""

    contact_id: str
    address_mac: str  # keyed hash of the address, 64 hex digits; tells nothing alone
