"""Names and addresses of members of staff, in the one form they are kept in."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from services.portal.errors import StaffInvalid

LONGEST_NAME: Final = 100  # characters
LONGEST_ADDRESS: Final = 254  # characters, RFC 5321

_TITLES: Final = frozenset(
    (
        *("mr", "mrs", "ms", "miss", "mx", "dr", "prof", "professor", "sir", "dame"),
        *("lord", "lady", "rev", "revd", "herr", "frau", "captain", "judge"),
    )
)
_TEAMS: Final = frozenset(
    (
        *("accounts", "billing", "care", "complaints", "customer", "customers"),
        *("helpline", "office", "reception", "sales", "service", "services", "staff"),
        "support",
    )
)
_NEVER_A_PERSON: Final = frozenset(
    ("department", "dept", "desk", "helpdesk", "mailbox", "noreply", "team", "teams")
)
_ADDRESS: Final = re.compile(
    r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]+@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_]{2,}"
)


def formal_name(typed: str) -> str:
    """Return the formal name of a person, spaces single, in Unicode form NFC.

    A person is named by at least two words of letters, marks, dots, hyphens and
    apostrophes. Names of teams are refused: a named person writes to a named person.

    Raises:
        StaffInvalid: says why; the name is not repeated.
    """
    name = " ".join(unicodedata.normalize("NFC", typed).split())
    words = name.split()
    if not name or len(name) > LONGEST_NAME:
        message = f"A formal name has 1 to {LONGEST_NAME} characters."
        raise StaffInvalid(message)
    if not all(map(_is_of_a_name, name)):
        raise StaffInvalid("A formal name is written in letters only.")
    plain = [word.strip(".").casefold() for word in words]
    is_team = not _NEVER_A_PERSON.isdisjoint(plain) or (
        plain[0] not in _TITLES and not _TEAMS.isdisjoint(plain)
    )
    if is_team:
        raise StaffInvalid("Name a person, not a team.")
    if len(words) == 1:
        raise StaffInvalid("Give title and name, for example Ms Anna Smith.")
    return name


def as_kept(typed: str) -> str:
    """Return an address in the form in which addresses are compared. Refuses nothing.

    Spaces around it go, letters become small, Unicode form NFC: so one person can't
    have two accounts by spelling one address in two ways.
    """
    sound = typed.encode("utf-8", "replace").decode()
    small = unicodedata.normalize("NFD", sound).casefold()
    return unicodedata.normalize("NFC", small).strip()


def address(typed: str) -> str:
    """Return the address as it is kept, see `as_kept`.

    Raises:
        StaffInvalid: this is no e-mail address; it is not repeated.
    """
    kept = as_kept(typed)
    if len(kept) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(kept):
        raise StaffInvalid("This is no e-mail address.")
    return kept


def _is_of_a_name(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM" or character in " .'\u2019-"
