"""The trail as a table: one row for each fact of every service. Nothing personal."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

from shared.readmodel import READERS_ONLY

TRAIL_NAME: Final = "audit-trail-v1"
"""The projection that writes the trail; another shape gets another name."""

TRAIL: Final = Table(
    "audit_trail",
    MetaData(),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", String(36), nullable=False),
    Column("event", String(100), nullable=False),
    Column("schema", Integer, nullable=False),
    Column("etsi", String(60)),
    Column("at", BigInteger, nullable=False),  # microseconds since 1970, UTC
    Column("contact", String(80)),
    Column("envelope", String(80)),
    Column("actor", String(80), nullable=False),
    Column("actor_kind", String(20), nullable=False),
    Column("role", String(40), nullable=False),
    Column("reason", Text),
    Column("grade", SmallInteger),
    Column("means", String(64)),
    Column("page", String(64)),
    Column("revision", Integer),
    Column("letter_hash", String(64)),
    Column("rendition", String(64)),
    Column("digest", String(64), nullable=False),
    Column("contact_seq", BigInteger),
    Column("detail", Text),
    Index("audit_trail_envelope", "envelope", "position", info=READERS_ONLY),
    Index("audit_trail_contact", "contact", "position", info=READERS_ONLY),
    Index("audit_trail_event", "event", "position", info=READERS_ONLY),
    # the same place twice among a contact's facts is a fault, not a row
    Index("audit_trail_contact_seq", "contact", "contact_seq", unique=True),
)
