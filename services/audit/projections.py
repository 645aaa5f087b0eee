"""The writer of the trail: every fact of every service becomes one row.

It is fed from a store whose codec holds no keys: what another service keeps private
arrives sealed and is not looked at. Rebuilt from the store, the rows are the same (I6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import func, select

from services.audit.model import detail_of, told_of
from services.audit.tables import TRAIL, TRAIL_NAME
from shared.events import Recorded
from shared.readmodel import Connection, Table, insert_rows

Row = tuple[int | str | None, ...]
"""The columns of the trail, in the order of the table."""


class TrailProjection:
    """Writes each fact once, in the order of the store; safe to replay."""

    name = TRAIL_NAME
    tables: tuple[Table, ...] = (TRAIL,)

    def apply(self, connection: Connection, record: Recorded) -> None:
        """Write one fact; nothing if it has its row already."""
        self.apply_many(connection, [record])

    def apply_many(self, connection: Connection, records: Sequence[Recorded]) -> None:
        """Write facts that follow one another in the store.

        Cost: three statements, however many facts.
        """
        last = connection.scalar(select(func.max(TRAIL.c.position))) or 0
        fresh = [record for record in records if record.position > last]
        if not fresh:
            return
        counted = _counted(connection, {r.meta.contact for r in fresh})
        rows = []
        for record in fresh:
            contact, place = record.meta.contact, None
            if contact is not None:
                place = counted[contact] = counted.get(contact, 0) + 1
            rows.append(_row(record, place))
        insert_rows(connection, TRAIL, rows)


def _counted(connection: Connection, contacts: Iterable[str | None]) -> dict[str, int]:
    """Return how many facts of each contact have their row."""
    of, seq = TRAIL.c.contact, TRAIL.c.contact_seq
    named = sorted(contact for contact in contacts if contact is not None)
    query = select(of, func.max(seq)).where(of.in_(named)).group_by(of)
    return {row[0]: row[1] for row in connection.execute(query)}


def _row(record: Recorded, contact_seq: int | None) -> Row:
    event, meta = record.event, record.meta
    return (
        record.position,
        msgspec.to_builtins(record.event_id),  # as `str` does, but quickly
        event.type_name,
        event.version,
        meta.etsi,
        meta.at_micros,
        meta.contact,
        meta.envelope,
        meta.actor,
        meta.actor_kind,
        meta.role,
        meta.reason,
        meta.grade,
        *told_of(event),
        record.digest,
        contact_seq,
        detail_of(event),
    )
