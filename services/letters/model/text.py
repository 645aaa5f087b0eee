"""Small rules about text that several others share."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from typing import Final

TITLE: Final = range(3, 121)  # characters
REASON: Final = range(3, 501)
PAGE: Final = re.compile(r"[1-9][0-9]{5}", re.ASCII)
RECORD: Final = re.compile(r"([1-9][0-9]{5})-([0-9]{6})", re.ASCII)
PERSON: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
# controls, formats (bidi marks among them), surrogates, private use, unassigned
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS: Final = frozenset("\u200c\u200d")  # needed to write Persian and Hindi


def line(value: str, allowed: range) -> str | None:
    """Return one line of text, NFC and trimmed, or None if it is not fit.

    Unfit is: a length outside `allowed` (characters), a line end, anything that cannot
    be seen.
    """
    text = unicodedata.normalize("NFC", value).strip()
    return text if len(text) in allowed and not unseen(text) else None


def unseen(text: str) -> bool:
    """Say whether the text holds a character that cannot be seen."""
    return any(unicodedata.category(c) in _UNSEEN and c not in _JOINERS for c in text)


def lines(value: str) -> str | None:
    """Return text of several lines, NFC, ended by newlines; None if it is not fit."""
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n"))
    return None if unseen(text.replace("\n", "").replace("\t", "")) else text


def in_words(day: date | datetime) -> str:
    """Return a date as a letter has it: 25 November 2026."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def words_of(text: str) -> tuple[str, ...]:
    """Return the words by which a title is found: folded, each once, in order."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return tuple(dict.fromkeys(re.findall(r"\w+", folded)))
