"""Who counts as a named person, and what may stand in the header of a mail."""

from __future__ import annotations

import unicodedata
from typing import Final

from services.envelope.errors import NotANamedPerson

LONGEST: Final = 120  # characters of a name

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MAILBOXES: Final = frozenset({"noreply", "donotreply", "mailerdaemon", "postmaster"})
_GROUPS: Final = frozenset({"team", "mailbox", "helpdesk", "department", "dept"})
_OFFICES: Final = frozenset(
    {
        *("the", "our", "of", "for", "to", "and", "unit", "group", "desk", "office"),
        *("customer", "customers", "client", "clients", "service", "services"),
        *("support", "info", "information", "admin", "administration", "sales"),
        *("help", "accounts", "accounting", "billing", "complaint", "complaints"),
        *("contact", "care", "enquiries", "reception", "staff", "mail", "webmaster"),
        *("legal", "compliance", "administrator", "operations"),
    }
)


def is_plain(text: str) -> bool:
    """Say whether `text` can stand in a mail header and mean only what it shows.

    Refuses control, format and unassigned characters, line and paragraph separators,
    and RFC 2047 encoded words, which decode to any of them.
    """
    return not (
        "=?" in text
        or "?=" in text
        or any(unicodedata.category(letter) in _UNSEEN for letter in text)
    )


def refuse_unnamed(name: str) -> None:
    """Refuse a name that is no person's.

    Raises:
        NotANamedPerson: empty, too long, without a letter, with unseen characters or
            encoded words, an address, or the name of a team or mailbox.
    """
    words = name.casefold().replace(",", " ").split()
    if (
        not any(letter.isalpha() for letter in name)
        or len(name) > LONGEST
        or not is_plain(name)
        or any(mark in name for mark in '@<>"\\;')
        or "".join(filter(str.isalpha, name.casefold())) in _MAILBOXES
        or _GROUPS.intersection(words)
        or _OFFICES.issuperset(words)
    ):
        raise NotANamedPerson
