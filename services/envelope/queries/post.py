"""Look-ups of the door and the postman."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from services.envelope.ports import LinkRow, OutboxRow
from services.envelope.tables import LINKS, LINKS_NAME, OUTBOX
from shared.clock import micros
from shared.readmodel import ReadModel


class LinkTable:
    """As the `LinkLookup` port."""

    def __init__(self, readmodel: ReadModel) -> None:
        """Read from `readmodel`."""
        self._readmodel = readmodel

    def find(self, token_hash: str) -> LinkRow | None:
        """As `LinkLookup.find`."""
        query = select(
            LINKS.c.envelope_id,
            LINKS.c.contact_id,
            LINKS.c.generation,
            LINKS.c.purpose,
        ).where(LINKS.c.token_hash == token_hash)
        with self._readmodel.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return LinkRow(
            envelope_id=row.envelope_id,
            contact_id=row.contact_id,
            generation=row.generation,
            purpose=row.purpose,
        )


class OutboxTable:
    """As the `Outbox` port."""

    def __init__(self, readmodel: ReadModel) -> None:
        """Read from `readmodel`."""
        self._readmodel = readmodel

    def due(self, now: datetime, limit: int) -> Sequence[OutboxRow]:
        """As `Outbox.due`."""
        query = (
            select(OUTBOX.c.item_id, OUTBOX.c.kind, OUTBOX.c.position)
            .where(OUTBOX.c.due_at <= micros(now))
            .order_by(OUTBOX.c.due_at, OUTBOX.c.item_id)
            .limit(limit)
        )
        with self._readmodel.connect() as connection:
            return [
                OutboxRow(item_id=row.item_id, kind=row.kind, position=row.position)
                for row in connection.execute(query)
            ]

    def links_known(self, position: int) -> bool:
        """As `Outbox.links_known`."""
        return self._readmodel.position(LINKS_NAME) >= position
