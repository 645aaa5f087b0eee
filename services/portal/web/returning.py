"""What a sender has chosen, carried to the contact's details and back to the send page.

Only a page number, a record key and a number of days travel in addresses: nothing
personal, nothing freely typed, and nothing that does not have its form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.portal.web.places import PAGE, RECORD
from shared.errors import DomainError

PARTS: Final = {"page": PAGE, "record": RECORD, "days": re.compile(r"[1-7]\Z")}
ADD_A_FACT: Final = "Add a postcode, date of birth or customer reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """Where on the contact's pages something can be put right, in a link's words."""

    words: str
    endpoint: str = "contacts.details"
    field: str = ""


FIXES: Final[Mapping[str, Fix]] = {  # code of a refusal -> where to go
    "fact_missing": Fix(words=ADD_A_FACT, field="postcode"),
    "not_a_named_person": Fix(words="Add a name to the contact", field="given"),
    "contact_stopped": Fix(
        words="See what the person asked for", endpoint="contacts.choices"
    ),
}
NO_FACT: Final = FIXES["fact_missing"]  # also where a mailed code stands in for one


def carried(given: Mapping[str, str | None]) -> dict[str, str]:
    """Return the well-formed parts of what was chosen; none without a page."""
    parts = {name: given.get(name) or "" for name in PARTS}
    kept = {name: part for name, part in parts.items() if PARTS[name].match(part)}
    return kept if "page" in kept else {}


def fix_of(refusal: DomainError | None) -> Fix | None:
    """Return where a refusal can be put right, if on the contact's pages at all."""
    return FIXES.get(refusal.code) if refusal else None
