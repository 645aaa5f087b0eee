"""The contact list on disk: sealed details, and a blind index to find them by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table

from services.crm.model.details import Details
from services.crm.model.words import Words
from shared.codec import Place
from shared.crypto.keyring import Keyring
from shared.crypto.seal import keyed_hash, place_of_row

METADATA: Final = MetaData()
_details: Final = msgspec.json.Decoder(Details).decode
_TERM_BYTES: Final = 16

CONTACTS: Final = Table(
    "crm_contacts",
    METADATA,
    Column("contact_id", String(32), primary_key=True),
    Column("details", LargeBinary, nullable=False),  # sealed under the contact's key
    Column("stops", String(40), nullable=False),  # names, joined by commas
    Column("created_at", BigInteger, nullable=False),  # microseconds since 1970, UTC
    Column("email_changed_at", BigInteger),  # as above; null: as first entered
    Column("changed", BigInteger, nullable=False),  # position of the last fact
    Index("crm_contacts_changed", "changed"),
)
TERMS: Final = Table(
    "crm_terms",
    METADATA,
    Column("term", String(32), primary_key=True),  # keyed hash, hex
    Column("contact_id", String(32), primary_key=True),
    Index("crm_terms_contact", "contact_id"),
)


class Vault:
    """Seals the rows of the contact list and hashes the words they are found by."""

    def __init__(self, keyring: Keyring) -> None:
        """Keep the keyring; derive the key of the index when it is first needed."""
        self._keyring = keyring
        self._index_key = b""

    def seal(self, contact_id: str, details: Details) -> bytes:
        """Return the sealed column of one contact.

        Raises:
            KeyDestroyed: the contact was erased.
        """
        plain = msgspec.json.encode(details)
        return self._keyring.seal_value(contact_id, _place(contact_id), plain)

    def unseal(self, rows: Iterable[tuple[str, bytes]]) -> list[Details | None]:
        """Return the details of each id and sealed column; None for the erased."""
        sealed = [(contact_id, contact_id, column) for contact_id, column in rows]
        opened = self._keyring.unseal_column(CONTACTS.name, "details", sealed)
        return [None if plain is None else _details(plain) for plain in opened]

    def term(self, kind: str, word: str) -> str:
        """Return the index term of a folded word: 32 hex digits, one-way.

        `kind` is whole, begins, family or alike; the same word differs between them.
        """
        if not self._index_key:
            self._index_key = self._keyring.derive("index")
        return keyed_hash(self._index_key, kind, word)[:_TERM_BYTES].hex()

    def terms(self, kind: str, words: Iterable[str]) -> list[str]:
        """Return the terms of several words, in their order."""
        return [self.term(kind, word) for word in words]

    def terms_of(self, words: Words) -> set[str]:
        """Return every term under which a contact is entered in the index."""
        return {
            *self.terms("whole", words.whole),
            *self.terms("begins", words.beginnings),
            self.term("family", words.family),
            self.term("alike", words.family_and_initial),
        }


def joined(names: Iterable[str]) -> str:
    """Return names as one column holds them."""
    return ",".join(names)


def split(column: str) -> tuple[str, ...]:
    """Return the names that `joined` was given."""
    return tuple(name for name in column.split(",") if name)


def _place(contact_id: str) -> Place:
    return place_of_row(CONTACTS.name, contact_id, "details")
