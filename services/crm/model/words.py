"""What a contact can be found by, and whose names could be mistaken for each other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from services.crm.model.details import Details, area_of
from services.crm.model.text import fold

LONGEST_BEGINNING: Final = 12  # letters of a word that count while it is typed
MOST_WORDS: Final = 10  # words of a query that are looked at
LONGEST_QUERY: Final = 200  # characters of a query that are looked at
_ALIKE: Final = 2  # edits that make a given name of another
_JOINTS: Final = re.compile(r"[^\w]+|_")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Words:
    """Folded words under which one contact is entered in the index."""

    whole: frozenset[str]
    beginnings: frozenset[str]
    family: str
    family_and_initial: str


def words_of(details: Details) -> Words:
    """Return what a contact is found by: names, company, reference, postcode.

    Names of a script that writes without spaces are entered joined as well.
    """
    texts = (
        details.given,
        details.family,
        details.formal_name,
        details.company,
        details.customer_reference,
        *_joined(details),
    )
    words = {word for text in texts for word in _words(text)}
    area, rest = area_of(details.postcode), details.postcode.partition(" ")[2]
    places = {fold(text) for text in (details.postcode, area, rest)} - {""}
    family = fold(details.surname)
    return Words(
        whole=frozenset(words | places),
        beginnings=frozenset(
            places.union(*(_beginnings(word) for word in words)),
        ),
        family=family,
        family_and_initial=f"{family} {_initial(details)}",
    )


def typed_words(query: str) -> tuple[str, ...]:
    """Return the folded words of a query, the longest first, none twice."""
    folded = {fold(word) for word in query[:LONGEST_QUERY].split()[:MOST_WORDS]}
    return tuple(sorted(folded - {""}, key=lambda word: (-len(word), word)))


def beginning(word: str) -> str:
    """Return the part of a typed word that is looked up: its first twelve letters."""
    return word[:LONGEST_BEGINNING]


def could_be_mistaken(one: Details, other: Details) -> bool:
    """Say whether a hurried person could take one for the other.

    The family names are the same; the given names begin alike or differ by at most two
    letters.
    """
    if fold(one.surname) != fold(other.surname):
        return False
    left, right = _forename(one), _forename(other)
    return left[:1] == right[:1] or _distance(left, right) <= _ALIKE


def sort_key(details: Details) -> tuple[str, str]:
    """Return what lists of people are ordered by: family, then given names."""
    return fold(details.surname), _forename(details)


def _joined(details: Details) -> tuple[str, ...]:
    one, two = details.given, details.family
    latin = fold(one + two).isascii()
    return () if latin or not (one and two) else (one + two, two + one)


def _words(text: str) -> set[str]:
    chunks = text.split()
    parts = (part for chunk in chunks for part in (chunk, *_JOINTS.split(chunk)))
    return {fold(part) for part in parts} - {""}


def _beginnings(word: str) -> set[str]:
    shortest = 2 if word.isascii() and len(word) > 1 else 1
    longest = min(len(word), LONGEST_BEGINNING)
    return {word[:n] for n in range(shortest, longest + 1)}


def _forename(details: Details) -> str:
    return fold(details.given) if details.family else ""


def _initial(details: Details) -> str:
    return _forename(details)[:1]


def _distance(one: str, other: str) -> int:
    """Return the least number of letters to add, drop or replace (Levenshtein)."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        above, row = row, [i]
        for j, right in enumerate(other, 1):
            step = above[j - 1] + (left != right)
            row.append(min(above[j] + 1, row[j - 1] + 1, step))
    return row[-1]
