"""Keeps the contact list in step with the facts; forgets whoever is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, insert, select, update

from services.crm.events import (
    ContactChanged,
    ContactCreated,
    ContactForgotten,
    ContactStopLifted,
    ContactStopped,
)
from services.crm.model.contact import STOPS, opened
from services.crm.model.details import Details
from services.crm.model.words import words_of
from services.crm.tables import CONTACTS, TERMS, Vault, joined, split
from shared.clock import micros
from shared.crypto.keyring import KeyDestroyed
from shared.events import Recorded
from shared.readmodel import Connection, Table

CONTACT_LIST: Final = "crm-contacts-v1"


class ContactListProjection:
    """Writes the contact list: sealed details, choices, terms of the blind index."""

    def __init__(self, vault: Vault) -> None:
        """Seal and hash by `vault`."""
        self._vault = vault

    @property
    def name(self) -> str:
        """Return its name with its version."""
        return CONTACT_LIST

    @property
    def tables(self) -> Sequence[Table]:
        """Return the tables it alone writes."""
        return (CONTACTS, TERMS)

    def apply(self, connection: Connection, record: Recorded) -> None:
        """Fold one fact into the list; ignore what does not concern it."""
        match record.event:
            case ContactCreated() | ContactChanged():
                self._enter(connection, record, record.event)
            case ContactStopped(contact_id=contact_id, stop=stop):
                _set_stop(connection, record, contact_id, stop, stopped=True)
            case ContactStopLifted(contact_id=contact_id, stop=stop):
                _set_stop(connection, record, contact_id, stop, stopped=False)
            case ContactForgotten(contact_id=contact_id):
                _drop(connection, contact_id)
            case _:
                pass

    def _enter(
        self,
        connection: Connection,
        record: Recorded,
        event: ContactCreated | ContactChanged,
    ) -> None:
        contact_id, details = event.contact_id, opened(event)
        sealed = self._sealed(contact_id, details)
        if details is None or sealed is None:
            _drop(connection, contact_id)
            return
        values: dict[str, object] = {
            "details": sealed,
            "changed": record.position,
        }
        if isinstance(event, ContactChanged) and "email" in event.changed:
            values["email_changed_at"] = micros(record.recorded_at)
        here = CONTACTS.c.contact_id == contact_id
        if not connection.execute(update(CONTACTS).where(here), values).rowcount:
            made = {
                "contact_id": contact_id,
                "stops": "",
                "created_at": micros(record.recorded_at),
            }
            connection.execute(insert(CONTACTS), made | values)
        connection.execute(delete(TERMS).where(TERMS.c.contact_id == contact_id))
        connection.execute(
            insert(TERMS),
            [
                {"term": term, "contact_id": contact_id}
                for term in sorted(self._vault.terms_of(words_of(details)))
            ],
        )

    def _sealed(self, contact_id: str, details: Details | None) -> bytes | None:
        """Return the column, or None for a person erased by now."""
        if details is None:
            return None
        try:
            return self._vault.seal(contact_id, details)
        except KeyDestroyed:  # between the reading of the fact and now
            return None


def _set_stop(
    connection: Connection,
    record: Recorded,
    contact_id: str,
    stop: str,
    *,
    stopped: bool,
) -> None:
    here = CONTACTS.c.contact_id == contact_id
    column = connection.scalar(select(CONTACTS.c.stops).where(here))
    held = {*split(column or ""), stop} if stopped else {*split(column or "")} - {stop}
    stops = joined(name for name in STOPS if name in held)
    values = {"stops": stops, "changed": record.position}
    connection.execute(update(CONTACTS).where(here), values)


def _drop(connection: Connection, contact_id: str) -> None:
    for table in (CONTACTS, TERMS):
        connection.execute(delete(table).where(table.c.contact_id == contact_id))
