"""Read models of the envelope service, and its operational tables.

Times are int64 microseconds since 1970, UTC. Nothing personal stands here in plain
words: what belongs to a person is one sealed column.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
)

MESSAGES_NAME: Final = "envelope-messages-v1"
LINKS_NAME: Final = "envelope-links-v1"
OUTBOX_NAME: Final = "envelope-outbox-v1"
UNCONFIRMED: Final = "unconfirmed"
"""In place of a failure's reason: nobody can tell whether the message arrived."""

_METADATA: Final = MetaData()
_ID: Final = String(32)
_HASH: Final = String(64)

MESSAGES: Final = Table(
    "envelope_messages",
    _METADATA,
    Column("envelope_id", _ID, primary_key=True),
    Column("contact_id", String(80), nullable=False),
    Column("position", BigInteger, nullable=False),  # of EnvelopeSent
    Column("page", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("letter_class", String(16), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("means", String(32), nullable=False),  # EnvelopeSent.check
    Column("sender_id", String(80), nullable=False),
    Column("letter_hash", _HASH, nullable=False),
    Column("rendition", _HASH, nullable=False),
    Column("blob", _HASH, nullable=False),
    Column("personal", LargeBinary),  # sealed `Personal`; NULL once erased
    Column("accepted_at", BigInteger, nullable=False),
    Column("release_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("consigned", Boolean, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("expiry_noted", Boolean, nullable=False),
    Column("erased", Boolean, nullable=False),
    Column("relayed_at", BigInteger),  # first time
    Column("fetched_at", BigInteger),  # first time
    Column("fetched_generation", Integer, nullable=False),  # newest one fetched, or 0
    Column("viewed_at", BigInteger),
    Column("viewed_grade", SmallInteger),
    Column("viewed_means", String(32)),
    Column("failure", String(64)),
    Column("wrong_answers", Integer, nullable=False),
    Index("envelope_messages_by_contact", "contact_id", "position"),
    Index("envelope_messages_by_sender", "sender_id", "position"),
    Index("envelope_messages_by_expiry", "expires_at"),
    Index("envelope_messages_by_failure", "failure", "position"),
)

LINKS: Final = Table(
    "envelope_links",
    _METADATA,
    Column("token_hash", _HASH, primary_key=True),  # SHA-256; the token is nowhere
    Column("envelope_id", _ID, nullable=False),
    Column("contact_id", String(80), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("purpose", String(8), nullable=False),  # letter or choices
    Index("envelope_links_by_contact", "contact_id"),
)

OUTBOX: Final = Table(
    "envelope_outbox",
    _METADATA,
    Column("item_id", String(36), primary_key=True),  # of the envelope or notice
    Column("kind", String(8), nullable=False),  # envelope or notice
    Column("generation", Integer, nullable=False),  # of the link; 0 for a notice
    Column("due_at", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),  # of the fact that set it due
    Index("envelope_outbox_by_due", "due_at"),
)

TICKETS: Final = Table(
    "envelope_tickets",
    _METADATA,
    Column("opening_id", String(36), primary_key=True),
    Column("command_id", String(36), nullable=False),
    Column("read_at", BigInteger, nullable=False),
)
"""First readings of tickets: operational, never rebuilt."""

SENDINGS: Final = Table(
    "envelope_sendings",
    _METADATA,
    Column("command_id", String(36), primary_key=True),
    Column("actor_id", String(80), nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Index("envelope_sendings_by_actor", "actor_id", "sent_at"),
)
"""Sendings counted towards a person's ceiling: operational, never rebuilt."""

OPERATIONAL: Final = (TICKETS, SENDINGS)
