"""Known facts as a person types them at the door: forgiving, never approximate."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from services.crm.model.details import FACTS, Details
from services.crm.model.names import refuse
from services.crm.model.text import fold

FAMILY_NAME: Final = "family_name"
_LONGEST: Final = 200  # characters of an answer that are looked at
_SHORTEST_MONTH: Final = 3  # letters: Jan, Sept
_MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_YEAR_FIRST: Final = re.compile(r"(\d{4})[-/. ](\d{1,2})[-/. ](\d{1,2})", re.ASCII)
_DAY_FIRST: Final = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})", re.ASCII)
_IN_WORDS: Final = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th)?[-/. ]+([a-z]+)[-/., ]+(\d{4})", re.ASCII
)


def on_file(details: Details, means: str) -> str:
    """Return the fact as it is kept; empty if there is none.

    Raises:
        ContactInvalid: there is no such kind of fact.
    """
    if means == FAMILY_NAME:
        return details.surname
    if means not in FACTS:
        refuse("Means", "one of family_name, postcode, birth_date, customer_reference.")
    return str(getattr(details, means))


def comparable(means: str, text: str) -> str:
    """Return the form in which two spellings of one fact are equal; empty if none.

    Case, spaces, punctuation and diacritics do not count. Dates are read as 1 March
    1980, 01/03/1980 (day first) or 1980-03-01.
    """
    short = text[:_LONGEST]
    return _date(short) if means == "birth_date" else fold(short)


def _date(text: str) -> str:
    plain = " ".join(text.lower().split())
    if found := _YEAR_FIRST.fullmatch(plain):
        year, month, day = map(int, found.groups())
    elif found := _DAY_FIRST.fullmatch(plain):
        day, month, year = map(int, found.groups())
    elif found := _IN_WORDS.fullmatch(plain):
        day, month, year = int(found[1]), _month(found[2]), int(found[3])
    else:
        return ""
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""


def _month(word: str) -> int:
    """Return 1 to 12, or 0 if `word` begins no month's name."""
    if len(word) < _SHORTEST_MONTH:
        return 0
    return next((n for n, m in enumerate(_MONTHS, 1) if m.startswith(word)), 0)
