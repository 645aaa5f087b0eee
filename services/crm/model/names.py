"""Names of professional quality: what is kept is fit to be printed in a letter (D10).

The forms follow the person, not a table: one name or several, any script, hyphens,
apostrophes, diacritics. Refused is what no person's name looks like.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NoReturn

from services.crm.errors import ContactInvalid
from services.crm.model.text import fold, script_of, tidy

LONGEST: Final = 100  # characters of a name; longer is a mistake
LONGEST_TITLE: Final = 30
LONGEST_SALUTATION: Final = 110
_MARKS: Final = frozenset(" '\u2018\u2019-\u2010.\u00b7\u30fb\u05f3\u05f4")
_CASED: Final = frozenset({"LATIN", "CYRILLIC", "GREEK"})
_SHOUTED: Final = frozenset({"MR", "MRS", "MS", "MISS", "MX", "DR", "PROF", "SIR"})


def refuse(label: str, what: str) -> NoReturn:
    """Refuse the field called `label`; `what` says how to write it.

    Raises:
        ContactInvalid: always. The text never repeats what was typed.
    """
    raise ContactInvalid(f"{label}: {what}")


def name_of(label: str, typed: str) -> str:
    """Return a given or family name as it is kept; empty stays empty.

    Raises:
        ContactInvalid: it is not fit to be printed in a letter.
    """
    name = tidy(typed)
    if name:
        _refuse_unfit(label, name, LONGEST)
    return name


def title_of(typed: str) -> str:
    """Return a title, any short word or words such as Mr or Dr; empty stays empty.

    Raises:
        ContactInvalid: it is too long, or written carelessly.
    """
    title, label = tidy(typed), "Title"
    if title:
        _refuse_marks(label, title, LONGEST_TITLE, _MARKS)
        words = _words(title)
        if not any(c.isupper() or c.istitle() for c in title if _is_cased(c)):
            if any(map(_is_cased, title)):
                refuse(label, "begin it with a capital letter, for example Mr.")
        elif any(word in _SHOUTED for word in words):
            refuse(label, "write it as Mr or Dr, not in capital letters.")
    return title


def formal_name_of(typed: str, *, title: str, given: str, family: str) -> str:
    """Return the name as an envelope bears it; by default title, given, family.

    Raises:
        ContactInvalid: unfit, or it does not hold the family (or only) name.
    """
    label = "Formal name"
    name = tidy(typed) or " ".join(part for part in (title, given, family) if part)
    _refuse_unfit(label, name, LONGEST)
    if (family or given) not in name:
        refuse(label, "it must hold the family name just as it is written there.")
    return name


def salutation_of(typed: str, *, formal_name: str, given: str, family: str) -> str:
    """Return how a letter begins; by default "Dear" and the formal name.

    Raises:
        ContactInvalid: unfit, or it names nobody.
    """
    label = "Salutation"
    salutation = tidy(typed) or f"Dear {formal_name}"
    _refuse_unfit(label, salutation, LONGEST_SALUTATION, _MARKS | {","})
    if not any(part and part in salutation for part in (family, given)):
        refuse(label, "it must name the person, for example Dear Mr Jones.")
    return salutation


def initials_of(given: str, family: str) -> str:
    """Return the first letters with full stops: "T. J."; of one name, one."""
    firsts = (next((c for c in name if c.isalpha()), "") for name in (given, family))
    return " ".join(f"{first.upper()}." for first in firsts if first)


def _refuse_unfit(
    label: str, name: str, longest: int, marks: frozenset[str] = _MARKS
) -> None:
    _refuse_marks(label, name, longest, marks)
    words = _words(name)
    if not fold(name):
        refuse(label, "a name has letters.")
    if name[0] in "-." or any(
        unicodedata.category(word[0]).startswith("M") for word in name.split(" ")
    ):
        refuse(label, "begin each name with a letter.")
    for word in words:
        if len({script_of(c) for c in word} & _CASED) > 1:
            refuse(label, "one word mixes letters of two alphabets that look alike.")
    cased = [c for c in name if _is_cased(c)]
    if cased and not any(c.isupper() or c.istitle() for c in cased):
        refuse(label, "begin it with a capital letter: Tom Jones, not tom jones.")
    long = [w for w in words if len(w) > 1 and any(map(_is_cased, w))]
    if long and all(word.isupper() for word in long):
        refuse(
            label, "write Tom Jones, not TOM JONES; initials with stops, as in T. J."
        )


def _refuse_marks(label: str, text: str, longest: int, marks: frozenset[str]) -> None:
    if len(text) > longest:
        refuse(label, f"at most {longest} characters.")
    if any(unicodedata.category(c).startswith("N") for c in text):
        refuse(label, "a name has no figures.")
    if any(c not in marks and unicodedata.category(c)[0] not in "LM" for c in text):
        refuse(label, "only letters, spaces, hyphens, apostrophes and full stops.")


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", name)


def _is_cased(letter: str) -> bool:
    return letter.lower() != letter.upper() and script_of(letter) in _CASED
