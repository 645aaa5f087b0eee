"""The types a value of a record may have, how it is kept and how a letter shows it.

Nobody types free text into a letter: every value is of a narrow type, and a quotation
is shown to its author or an assignee only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from services.letters.commands import FormField
from services.letters.model.text import in_words, line, lines

QUOTATION: Final = "quotation"
LONGEST_QUOTATION: Final = 10_000  # characters
LONGEST_TEXT: Final = 200
ADDRESS_LINES: Final = 10
ADDRESS_LINE: Final = range(1, 101)

_MONEY: Final = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{2})?", re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MARKS: Final = frozenset(" .,'\u2019/&()+#:-\u2013\u200c\u200d")


def checked(field: FormField, value: str) -> str | None:
    """Return the value as it is kept, or None if it is not of the field's type."""
    check = _CHECKS.get(field.type)
    return check(field, value) if check else None


def shown(type_: str, value: str) -> str:
    """Return a kept value as a letter shows it."""
    match type_:
        case "date":
            return in_words(date.fromisoformat(value))
        case "money":
            return f"{Decimal(value):,.2f}"
        case _:
            return value


def _choice(field: FormField, value: str) -> str | None:
    text = unicodedata.normalize("NFC", value).strip()
    return text if text in field.choices else None


def _day(field: FormField, value: str) -> str | None:
    del field
    text = value.strip()
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def _money(field: FormField, value: str) -> str | None:
    del field
    text = value.strip()
    return f"{Decimal(text):.2f}" if _MONEY.fullmatch(text) else None


def _number(field: FormField, value: str) -> str | None:
    del field
    text = value.strip()
    return text if _NUMBER.fullmatch(text) else None


def _address(field: FormField, value: str) -> str | None:
    del field
    text = lines(value)
    rows = [line(row, ADDRESS_LINE) for row in (text or "").split("\n") if row.strip()]
    kept = [row for row in rows if row is not None and _plain(row)]
    whole = len(kept) == len(rows) and 1 <= len(rows) <= ADDRESS_LINES
    return "\n".join(kept) if whole else None


def _text(field: FormField, value: str) -> str | None:
    del field
    text = line(value, range(1, LONGEST_TEXT + 1))
    return text if text is not None and _plain(text) else None


def _quotation(field: FormField, value: str) -> str | None:
    del field
    text = lines(value)
    fits = text is not None and 1 <= len(text.strip()) <= LONGEST_QUOTATION
    return text.strip() if text is not None and fits else None


def _plain(text: str) -> bool:
    """Letters, marks, digits and what stands in names: no address of the web."""
    return "://" not in text and all(
        unicodedata.category(c)[0] in "LMN" or c in _MARKS for c in text
    )


_CHECKS: Final[Mapping[str, Callable[[FormField, str], str | None]]] = {
    "choice": _choice,
    "date": _day,
    "money": _money,
    "number": _number,
    "address": _address,
    "text": _text,
    QUOTATION: _quotation,
}
TYPES: Final = frozenset(_CHECKS)
