"""Look-ups of the door and the postman."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from services.envelope.ports import LinkRow, OutboxRow
from services.envelope.tables import LINKS, LINKS_NAME, OUTBOX
from shared.clock import micros
from shared.readmodel import ReadModel

_LINK: Final = select(
    LINKS.c.envelope_id, LINKS.c.contact_id, LINKS.c.generation, LINKS.c.purpose
).where(LINKS.c.token_hash == bindparam("token_hash"))
_DUE: Final = (
    select(OUTBOX.c.item_id, OUTBOX.c.kind, OUTBOX.c.position)
    .where(OUTBOX.c.due_at <= bindparam("now"))
    .order_by(OUTBOX.c.due_at, OUTBOX.c.item_id)
    .limit(bindparam("limit"))
)


class LinkTable:
    """As the `LinkLookup` port."""

    def __init__(self, readmodel: ReadModel) -> None:
        """Read from `readmodel`."""
        self._readmodel = readmodel

    def find(self, token_hash: str) -> LinkRow | None:
        """As `LinkLookup.find`."""
        for envelope_id, contact_id, generation, purpose in self._readmodel.fetch(
            _LINK, token_hash=token_hash
        ):
            return LinkRow(
                envelope_id=envelope_id,
                contact_id=contact_id,
                generation=generation,
                purpose=purpose,
            )
        return None


class OutboxTable:
    """As the `Outbox` port."""

    def __init__(self, readmodel: ReadModel) -> None:
        """Read from `readmodel`."""
        self._readmodel = readmodel

    def due(self, now: datetime, limit: int) -> Sequence[OutboxRow]:
        """As `Outbox.due`."""
        return [
            OutboxRow(item_id=item_id, kind=kind, position=position)
            for item_id, kind, position in self._readmodel.fetch(
                _DUE, now=micros(now), limit=limit
            )
        ]

    def links_known(self, position: int) -> bool:
        """As `Outbox.links_known`."""
        return self._readmodel.position(LINKS_NAME) >= position
