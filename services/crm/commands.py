"""What may be asked of the contacts service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateContact:
    """Enter a person. Empty `formal_name` and `salutation` are made from the parts."""

    kind: str = "customer"  # customer, supplier or staff
    title: str = ""
    given: str = ""
    family: str = ""
    formal_name: str = ""
    salutation: str = ""
    email: str
    postcode: str = ""
    birth_date: str = ""  # ISO 8601 date
    customer_reference: str = ""
    company: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeContact:
    """Replace a person's details by these."""

    contact_id: str
    kind: str
    title: str = ""
    given: str = ""
    family: str = ""
    formal_name: str = ""
    salutation: str = ""
    email: str
    postcode: str = ""
    birth_date: str = ""
    customer_reference: str = ""
    company: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStop:
    """Record the person's choice; asking for what already holds changes nothing."""

    contact_id: str
    stop: str  # marketing, messages or all
    stopped: bool
    door: str  # portal or link
    wording: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitSend:
    """Grant one attempt to send, unless a stop stands or the person was erased."""

    envelope_id: str
    contact_id: str
    purpose: str  # service or marketing
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCode:
    """Make a one-time code for the browser that asked."""

    contact_id: str
    envelope_id: str
    browser: str  # keyed hash of the browser's secret


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCode:
    """Ask for an issued code's text and the address to mail it to; postman only."""

    contact_id: str
    code_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCode:
    """Try a one-time code, from one browser, for one envelope."""

    contact_id: str
    envelope_id: str
    browser: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFact:
    """Ask whether `answer` is the known fact on file. Writes nothing."""

    contact_id: str
    means: str  # family_name, postcode, birth_date or customer_reference
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetContact:
    """Erase the person: contact stops and keys are destroyed, everywhere, for good."""

    contact_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchContacts:
    """Find people by the beginnings of name words, reference or postcode.

    Every word typed must match, in any order. An empty query gives the latest.
    """

    query: str = ""
    limit: int = 20
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GetContact:
    """Ask for one contact."""

    contact_id: str
    after: int = 0
