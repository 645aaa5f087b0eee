"""Rules of the organisation's own description."""

from __future__ import annotations

import re
from typing import Final

from services.envelope.api import Organisation
from services.envelope.commands import DescribeOrganisation
from services.envelope.errors import OrganisationInvalid
from services.envelope.events import OrganisationDescribed
from services.envelope.model.names import LONGEST, is_plain
from shared.events import Event, Recorded

_LABEL: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"(?=.{{4,190}}\Z)({_LABEL}\.)+{_LABEL}")
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()./-]{4,30}")
_URL: Final = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?")
_LONG: Final = 300


def evolve_organisation(organisation: Organisation, record: Recorded) -> Organisation:
    """Apply one fact. Total."""
    match record.event:
        case OrganisationDescribed() as told:
            return Organisation(
                name=told.name,
                registered_number=told.registered_number,
                registered_office=told.registered_office,
                help_phone=told.help_phone,
                sender_domain=told.sender_domain,
                privacy_url=told.privacy_url,
            )
        case _:
            return organisation


def decide_description(
    organisation: Organisation, request: DescribeOrganisation
) -> list[Event]:
    """Describe the organisation; nothing if it is described so already.

    Raises:
        OrganisationInvalid: names the first detail that cannot be used.
    """
    told = OrganisationDescribed(
        name=request.name.strip(),
        registered_number=request.registered_number.strip(),
        registered_office=request.registered_office.strip(),
        help_phone=request.help_phone.strip(),
        sender_domain=request.sender_domain.strip().lower().rstrip("."),
        privacy_url=request.privacy_url.strip(),
    )
    flaw = _flaw(told)
    if flaw:
        raise OrganisationInvalid(flaw)
    same = Organisation(
        name=told.name,
        registered_number=told.registered_number,
        registered_office=told.registered_office,
        help_phone=told.help_phone,
        sender_domain=told.sender_domain,
        privacy_url=told.privacy_url,
    )
    return [] if same == organisation else [told]


def _flaw(told: OrganisationDescribed) -> str:
    name = told.name
    details = (name, told.registered_number, told.registered_office)
    checks = (
        (
            all(is_plain(text) and len(text) <= _LONG for text in details),
            "A detail is too long or holds characters that cannot be shown.",
        ),
        (
            any(letter.isalpha() for letter in name) and len(name) <= LONGEST,
            "Enter the organisation's name, up to 120 characters.",
        ),
        (
            not any(mark in name for mark in '@<>"\\'),
            "The organisation's name cannot hold @, <, >, \" or \\.",
        ),
        (
            _PHONE.fullmatch(told.help_phone),
            "Enter a telephone number for help, in figures.",
        ),
        (
            _DOMAIN.fullmatch(told.sender_domain),
            "Enter the domain that envelopes come from, such as example.org.",
        ),
        (
            _URL.fullmatch(told.privacy_url),
            "Enter the address of the privacy notice; it begins with https://.",
        ),
    )
    return next((flaw for holds, flaw in checks if not holds), "")
