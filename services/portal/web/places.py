"""Where to go back to after signing in again: own pages only, never typed text (S27).

An address names an endpoint out of `PLACES` and at most one id of a fixed form; the
link is then built by Flask from its own map.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from flask import request, url_for

HEX: Final = re.compile(r"[0-9a-f]{32}\Z")
PAGE: Final = re.compile(r"[0-9]{6}\Z")
RECORD: Final = re.compile(r"[0-9]{6}-[0-9]{6}\Z")
NOTHING: Final = re.compile(r"\Z")

PLACES: Final[Mapping[str, tuple[str, re.Pattern[str]]]] = {
    "home.show": ("", NOTHING),
    "home.help_page": ("", NOTHING),
    "contacts.index": ("", NOTHING),
    "contacts.new": ("", NOTHING),
    "contacts.show": ("contact", HEX),
    "contacts.details": ("contact", HEX),
    "contacts.choices": ("contact", HEX),
    "sending.ask": ("contact", HEX),
    "requests.index": ("contact", HEX),
    "requests.new": ("contact", HEX),
    "requests.show": ("record", RECORD),
    "messages.show": ("envelope", HEX),
    "letters.index": ("", NOTHING),
    "letters.new": ("", NOTHING),
    "letters.show": ("page", PAGE),
    "letters.edit": ("page", PAGE),
    "approvals.review": ("page", PAGE),
    "evidence.index": ("", NOTHING),
    "staff.index": ("", NOTHING),
    "organisation.edit": ("", NOTHING),
    "account.show": ("", NOTHING),
}


IDS: Final[Mapping[str, re.Pattern[str]]] = {  # what the parts of an address look like
    "contact": HEX,
    "envelope": HEX,
    "staff": HEX,
    "page": PAGE,
    "record": RECORD,
}


def well_formed(given: Mapping[str, object]) -> bool:
    """Say whether every id in an address can be one, before anybody is asked."""
    return all(
        IDS[name].match(str(value)) for name, value in given.items() if name in IDS
    )


def here() -> dict[str, str]:
    """Return the query that names the page asked for; empty if it is not a place."""
    endpoint = request.endpoint or ""
    if endpoint not in PLACES or endpoint == "home.show":
        return {}
    argument, _form = PLACES[endpoint]
    known = str((request.view_args or {}).get(argument, "")) if argument else ""
    return {"back": endpoint} | ({"id": known} if known else {})


def address(back: str, known: str) -> str:
    """Return the path of a place, or of the home page for anything else."""
    if back in PLACES:
        argument, form = PLACES[back]
        if form.match(known):
            given = {argument: known} if argument else {}
            return url_for(back, **given)  # type: ignore[arg-type]  # a route's own names
    return url_for("home.show")
