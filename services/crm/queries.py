"""Reads the contact list: search by beginnings of words, one contact, look-alikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, Select, exists, select

from services.crm.api import ContactPage, ContactRow, ContactView
from services.crm.commands import GetContact, SearchContacts
from services.crm.errors import ContactUnknown
from services.crm.model.details import Details, area_of, masked
from services.crm.model.words import (
    beginning,
    could_be_mistaken,
    sort_key,
    typed_words,
    words_of,
)
from services.crm.tables import CONTACTS, TERMS, Vault, split
from shared.clock import from_micros
from shared.readmodel import Connection, ReadModel

MOST_ROWS: Final = 100  # of one page of results
MOST_CANDIDATES: Final = 200  # people whose details are opened for one search
MOST_LOOK_ALIKES: Final = 20  # people whose details are opened for one contact


@dataclass(frozen=True, slots=True, repr=False)
class _Found:
    row: Row[Any]
    details: Details


class ContactQueries:
    """Answers from the contact list of one read model."""

    def __init__(self, readmodel: ReadModel, vault: Vault, projection: str) -> None:
        """Read what the projection of that name wrote; open rows by `vault`."""
        self._readmodel = readmodel
        self._vault = vault
        self._projection = projection

    def search(self, request: SearchContacts) -> ContactPage:
        """Find people by all words typed, in any order; the nameless query: the latest.

        Ordered by family and given name, then id. When more than 200 people match,
        those with the very words typed come before those whose words begin so.
        """
        fresh = self._readmodel.await_position(request.after, self._projection)
        limit = max(1, min(request.limit, MOST_ROWS))
        with self._readmodel.connect() as connection:
            if request.query.strip():
                found, more = self._matching(connection, typed_words(request.query))
            else:
                latest = select(CONTACTS).order_by(CONTACTS.c.changed.desc())
                found = self._opened(connection, latest.limit(limit + 1))
                more = False
        rows = tuple(_row_of(one) for one in found[:limit])
        return ContactPage(rows=rows, more=more or len(found) > limit, fresh=fresh)

    def contact(self, request: GetContact) -> ContactView:
        """Return one contact, with others whose names could be mistaken for it.

        Raises:
            ContactUnknown: no such contact in the list, or erased.
        """
        fresh = self._readmodel.await_position(request.after, self._projection)
        with self._readmodel.connect() as connection:
            wanted = select(CONTACTS).where(CONTACTS.c.contact_id == request.contact_id)
            opened = self._opened(connection, wanted)
            if not opened:
                raise ContactUnknown
            found = opened[0]
            look_alikes = self._look_alikes(connection, found)
        return _view_of(found, look_alikes, fresh=fresh)

    def _matching(
        self, connection: Connection, words: Sequence[str]
    ) -> tuple[list[_Found], bool]:
        if not words:
            return [], False
        whole = self._vault.terms("whole", words)
        begins = self._vault.terms("begins", map(beginning, words))
        ids = dict.fromkeys(_ids(connection, whole, MOST_CANDIDATES + 1))
        ids |= dict.fromkeys(_ids(connection, begins, MOST_CANDIDATES + 1))
        chosen = list(ids)[:MOST_CANDIDATES]
        return self._people(connection, chosen), len(ids) > MOST_CANDIDATES

    def _look_alikes(
        self, connection: Connection, found: _Found
    ) -> tuple[ContactRow, ...]:
        words = words_of(found.details)
        closest = self._vault.term("alike", words.family_and_initial)
        family = self._vault.term("family", words.family)
        ids = dict.fromkeys(_ids(connection, [closest], MOST_LOOK_ALIKES + 1))
        ids |= dict.fromkeys(_ids(connection, [family], MOST_LOOK_ALIKES + 1))
        ids.pop(found.row.contact_id, None)
        others = self._people(connection, list(ids)[:MOST_LOOK_ALIKES])
        return tuple(
            _row_of(other)
            for other in others
            if could_be_mistaken(found.details, other.details)
        )

    def _people(self, connection: Connection, ids: Sequence[str]) -> list[_Found]:
        wanted = select(CONTACTS).where(CONTACTS.c.contact_id.in_(ids))
        return sorted(
            self._opened(connection, wanted),
            key=lambda one: (*sort_key(one.details), one.row.contact_id),
        )

    def _opened(self, connection: Connection, wanted: Select[Any]) -> list[_Found]:
        rows = connection.execute(wanted).all()
        opened = self._vault.unseal((row.contact_id, row.details) for row in rows)
        return [
            _Found(row, details)
            for row, details in zip(rows, opened, strict=True)
            if details is not None
        ]


def _ids(connection: Connection, terms: Sequence[str], limit: int) -> list[str]:
    """Return who is entered under all of `terms`, by id; the first is the rarest."""
    first, *others = terms
    wanted = select(TERMS.c.contact_id).where(TERMS.c.term == first)
    for term in others:
        other = TERMS.alias()
        same = other.c.contact_id == TERMS.c.contact_id
        wanted = wanted.where(exists().where(other.c.term == term, same))
    ordered = wanted.order_by(TERMS.c.contact_id).limit(limit)
    return list(connection.scalars(ordered))


def _row_of(found: _Found) -> ContactRow:
    row, details = found.row, found.details
    return ContactRow(
        contact_id=row.contact_id,
        kind=details.kind,
        formal_name=details.formal_name,
        masked_email=masked(details.email),
        postcode_area=area_of(details.postcode),
        customer_reference=details.customer_reference,
        company=details.company,
        stops=split(row.stops),
    )


def _view_of(
    found: _Found, look_alikes: tuple[ContactRow, ...], *, fresh: bool
) -> ContactView:
    row, details = found.row, found.details
    changed = row.email_changed_at
    return ContactView(
        contact_id=row.contact_id,
        kind=details.kind,
        title=details.title,
        given=details.given,
        family=details.family,
        formal_name=details.formal_name,
        salutation=details.salutation,
        email=details.email,
        masked_email=masked(details.email),
        postcode=details.postcode,
        birth_date=details.birth_date,
        customer_reference=details.customer_reference,
        company=details.company,
        facts=details.facts,
        stops=split(row.stops),
        created_at=from_micros(row.created_at),
        email_changed_at=None if changed is None else from_micros(changed),
        look_alikes=look_alikes,
        fresh=fresh,
    )
