"""The personal details of a contact, checked field by field before they are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.crm.commands import ChangeContact, CreateContact
from services.crm.events import DETAILS
from services.crm.model.names import (
    formal_name_of,
    name_of,
    refuse,
    salutation_of,
    title_of,
)
from services.crm.model.text import has_unseen, tidy

KINDS: Final = ("customer", "supplier", "staff")
FACTS: Final = ("postcode", "birth_date", "customer_reference")
_LONGEST_TYPED: Final = 1000  # characters of any field, before it is looked at
_LONGEST_COMPANY: Final = 100
_LONGEST_LOCAL: Final = 64  # RFC 5321, section 4.5.3.1.1
_LONGEST_ADDRESS: Final = 254  # RFC 5321, section 4.5.3.1.3, less the brackets
_OLDEST: Final = 130  # years
_LABELS: Final = {
    "title": "Title",
    "given": "Given name",
    "family": "Family name",
    "formal_name": "Formal name",
    "salutation": "Salutation",
    "email": "E-mail address",
    "postcode": "Postcode",
    "birth_date": "Date of birth",
    "customer_reference": "Customer reference",
    "company": "Company",
}
# RFC 5321 atoms, less the characters that old relays give a meaning: % ! | `
_LOCAL: Final = re.compile(
    r"[A-Za-z0-9#$&'*+/=?^_{}~-]+(\.[A-Za-z0-9#$&'*+/=?^_{}~-]+)*"
)
_DOMAIN: Final = re.compile(
    r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])"
)
_POSTCODE: Final = re.compile(r"[A-Z0-9][A-Z0-9 -]{0,10}[A-Z0-9]")
_BRITISH: Final = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?)([0-9][A-Z]{2})")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_#+:-]{0,39}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Details:
    """Who a contact is. Absent details are empty; printing it tells nothing."""

    kind: str
    title: str
    given: str
    family: str
    formal_name: str
    salutation: str
    email: str
    postcode: str
    birth_date: str
    customer_reference: str
    company: str

    @property
    def facts(self) -> tuple[str, ...]:
        """Return the names of the known facts on file, always in the same order."""
        return tuple(name for name in FACTS if getattr(self, name))

    @property
    def surname(self) -> str:
        """Return the family name; of a person with one name, that name."""
        return self.family or self.given


def details_of(request: CreateContact | ChangeContact, today: date) -> Details:
    """Return what was typed as it is kept.

    Raises:
        ContactInvalid: a field is not of professional quality; the text names it.
    """
    if request.kind not in KINDS:
        refuse("Kind", "choose customer, supplier or staff.")
    for name in DETAILS:
        _refuse_unsafe(_LABELS[name], getattr(request, name))
    title = title_of(request.title)
    given = name_of("Given name", request.given)
    family = name_of("Family name", request.family)
    if not (given or family):
        refuse("Name", "write the given name, the family name, or both.")
    formal_name = formal_name_of(
        request.formal_name, title=title, given=given, family=family
    )
    return Details(
        kind=request.kind,
        title=title,
        given=given,
        family=family,
        formal_name=formal_name,
        salutation=salutation_of(
            request.salutation, formal_name=formal_name, given=given, family=family
        ),
        email=address_of(request.email),
        postcode=_postcode_of(request.postcode),
        birth_date=_birth_date_of(request.birth_date, today),
        customer_reference=_reference_of(request.customer_reference),
        company=_company_of(request.company),
    )


def address_of(typed: str) -> str:
    """Return an e-mail address fit for a header, its domain in lower case.

    Raises:
        ContactInvalid: anything but one plain address: local part and domain in ASCII.
    """
    label, address = "E-mail address", typed.strip(" ")
    local, at, domain = address.rpartition("@")
    if not at or len(address) > _LONGEST_ADDRESS or len(local) > _LONGEST_LOCAL:
        refuse(label, "write one address, for example name@example.com.")
    if not domain.isascii():
        refuse(label, "write the domain in its xn-- form.")
    if not (_LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain.lower())):
        refuse(label, "write one plain address, for example name@example.com.")
    return f"{local}@{domain.lower()}"


def masked(address: str) -> str:
    """Return the address so that its owner knows it and nobody else learns it."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}\u2022\u2022\u2022@{domain}"


def area_of(postcode: str) -> str:
    """Return the first half of a postcode, or nothing."""
    return postcode.partition(" ")[0] if " " in postcode else postcode[:-3]


def _refuse_unsafe(label: str, typed: str) -> None:
    if len(typed) > _LONGEST_TYPED:
        refuse(label, "this is too long.")
    if has_unseen(typed):
        refuse(label, "it has characters that cannot be seen; type it by hand.")
    if "=?" in typed or "?=" in typed:  # RFC 2047: a header would say something else
        refuse(label, "it must not hold the signs =? or ?= side by side.")


def _postcode_of(typed: str) -> str:
    postcode = tidy(typed).upper()
    if postcode and not _POSTCODE.fullmatch(postcode):
        refuse("Postcode", "2 to 12 letters and figures, for example ZZ1 1AA.")
    british = _BRITISH.fullmatch(postcode.replace(" ", ""))
    return " ".join(british.groups()) if british else postcode


def _birth_date_of(typed: str, today: date) -> str:
    text, label = tidy(typed), "Date of birth"
    if not text:
        return ""
    try:
        born = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        born = None
    if born is None:
        refuse(label, "write year, month and day, for example 1980-03-01.")
    if not today.year - _OLDEST <= born.year or born >= today:
        refuse(label, "it must be a day in the past, in a living person's time.")
    return text


def _reference_of(typed: str) -> str:
    reference = tidy(typed)
    if reference and not _REFERENCE.fullmatch(reference):
        refuse(
            "Customer reference", "up to 40 letters, figures and - . / _ # + : signs."
        )
    return reference


def _company_of(typed: str) -> str:
    company = tidy(typed)
    if len(company) > _LONGEST_COMPANY:
        refuse("Company", f"at most {_LONGEST_COMPANY} characters.")
    if any(sign in company for sign in '@"<>\\'):
        refuse("Company", 'it must not hold any of @ " < > \\.')
    return company
