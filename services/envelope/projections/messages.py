"""The message lists: one row an envelope, its personal values in one sealed column."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, insert, update

from services.crm.events import ContactForgotten
from services.envelope.events import (
    AnswerRejected,
    EnvelopeCancelled,
    EnvelopeExpired,
    EnvelopeExpiryChanged,
    EnvelopeRelayed,
    EnvelopeSent,
    EnvelopeViewed,
    LetterConsigned,
    LinkFetched,
    LinkRenewed,
    RelayFailed,
    RelayUnconfirmed,
)
from services.envelope.tables import MESSAGES, MESSAGES_NAME, UNCONFIRMED
from shared.clock import micros
from shared.crypto.keyring import KeyDestroyed, Keyring
from shared.crypto.seal import place_of_row
from shared.events import Recorded
from shared.readmodel import Connection


class MessagesProjection:
    """Keeps the message lists in step with the facts."""

    name = MESSAGES_NAME
    tables = (MESSAGES,)

    def __init__(self, keyring: Keyring) -> None:
        """Seal personal values with `keyring`, under the contact they belong to."""
        self._keyring = keyring

    def apply(self, connection: Connection, record: Recorded) -> None:
        """Fold one fact in; of an erased contact only what is not personal stays."""
        event = record.event
        if isinstance(event, EnvelopeSent):
            connection.execute(insert(MESSAGES), self._row(record, event))
        elif isinstance(event, ContactForgotten):
            mine = MESSAGES.c.contact_id == event.contact_id
            connection.execute(
                update(MESSAGES).where(mine), {"personal": None, "erased": True}
            )
        else:
            _change(connection, record)

    def _row(self, record: Recorded, sent: EnvelopeSent) -> dict[str, Any]:
        personal = self._sealed(sent)
        return {
            "envelope_id": sent.envelope_id,
            "contact_id": sent.contact_id,
            "position": record.position,
            "page": sent.page,
            "revision": sent.revision,
            "kind": sent.kind,
            "letter_class": sent.letter_class,
            "purpose": sent.purpose,
            "means": sent.check,
            "sender_id": record.meta.actor,
            "letter_hash": sent.letter_hash,
            "rendition": sent.rendition,
            "blob": sent.blob,
            "personal": personal,
            "accepted_at": micros(record.recorded_at),
            "release_at": micros(sent.release_at),
            "expires_at": micros(sent.expires_at),
            "generation": 1,
            "consigned": False,
            "cancelled": False,
            "disabled": False,
            "expiry_noted": False,
            "erased": personal is None,
            "fetched_generation": 0,
            "wrong_answers": 0,
        }

    def _sealed(self, sent: EnvelopeSent) -> bytes | None:
        values = {
            "title": sent.title,
            "record": sent.record,
            "formal_name": sent.formal_name,
            "sender_name": sent.sender_name,
        }
        if not all(isinstance(value, str) for value in values.values()):
            return None  # erased since
        place = place_of_row(MESSAGES.name, sent.envelope_id, "personal")
        plain = msgspec.json.encode(values)
        try:
            return self._keyring.seal_value(sent.contact_id, place, plain)
        except KeyDestroyed:
            return None


def _change(connection: Connection, record: Recorded) -> None:
    at = micros(record.recorded_at)
    match record.event:
        case LetterConsigned(envelope_id=envelope_id):
            _set(connection, envelope_id, consigned=True)
        case EnvelopeCancelled(envelope_id=envelope_id):
            _set(connection, envelope_id, cancelled=True)
        case EnvelopeRelayed(envelope_id=envelope_id):
            _set(connection, envelope_id, failure=None)
            _set_first(connection, envelope_id, relayed_at=at)
        case RelayFailed() as failed:
            of_this_link = MESSAGES.c.generation == failed.generation
            _set(connection, failed.envelope_id, of_this_link, failure=failed.reason)
        case RelayUnconfirmed(envelope_id=envelope_id, generation=generation):
            of_this_link = MESSAGES.c.generation == generation
            unused = MESSAGES.c.fetched_generation < generation
            _set(connection, envelope_id, of_this_link, unused, failure=UNCONFIRMED)
        case LinkFetched(envelope_id=envelope_id, generation=generation):
            newer = MESSAGES.c.fetched_generation < generation
            _set(connection, envelope_id, newer, fetched_generation=generation)
            _set_first(connection, envelope_id, fetched_at=at)
            mine = MESSAGES.c.generation == generation
            doubted = MESSAGES.c.failure == UNCONFIRMED
            _set(connection, envelope_id, mine, doubted, failure=None)  # it arrived
        case AnswerRejected(envelope_id=envelope_id):
            counted = MESSAGES.c.wrong_answers + 1
            _set(connection, envelope_id, wrong_answers=counted)
        case EnvelopeViewed() as viewed:
            _set_first(
                connection,
                viewed.envelope_id,
                viewed_at=at,
                viewed_grade=viewed.grade,
                viewed_means=viewed.means,
            )
        case _:
            _live(connection, record)


def _live(connection: Connection, record: Recorded) -> None:
    match record.event:
        case EnvelopeExpiryChanged(envelope_id=envelope_id, expires_at=expires_at):
            _set_end(connection, envelope_id, expires_at)
            if expires_at <= record.recorded_at:
                _set(connection, envelope_id, disabled=True)
        case EnvelopeExpired(envelope_id=envelope_id):
            _set(connection, envelope_id, expiry_noted=True)
        case LinkRenewed() as renewed:
            _set_end(connection, renewed.envelope_id, renewed.expires_at)
            _set(
                connection,
                renewed.envelope_id,
                generation=renewed.generation,
                failure=None,
            )
        case _:
            pass


def _set_end(connection: Connection, envelope_id: str, end: datetime) -> None:
    _set(connection, envelope_id, expires_at=micros(end), expiry_noted=False)


def _set(
    connection: Connection, envelope_id: str, *also: ColumnElement[bool], **values: Any
) -> None:
    mine = and_(MESSAGES.c.envelope_id == envelope_id, *also)
    connection.execute(update(MESSAGES).where(mine).values(**values))


def _set_first(connection: Connection, envelope_id: str, **values: Any) -> None:
    """Set columns that are set once: the first time stays."""
    first = MESSAGES.c[next(iter(values))].is_(None)
    _set(connection, envelope_id, first, **values)
