"""The writer of the trail: every fact of every service becomes one row.

It is fed from a store whose codec holds no keys: what another service keeps private
arrives sealed and is not looked at. Rebuilt from the store, the rows are the same (I6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import func, insert, select

from services.audit.model import detail_of, number_of, text_of
from services.audit.tables import TRAIL, TRAIL_NAME
from shared.clock import micros
from shared.events import Recorded
from shared.readmodel import Connection, Table

Row = dict[str, int | str | None]


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
        connection.execute(insert(TRAIL), rows)


def _counted(connection: Connection, contacts: Iterable[str | None]) -> dict[str, int]:
    """Return how many facts of each contact have their row."""
    of, seq = TRAIL.c.contact, TRAIL.c.contact_seq
    named = sorted(contact for contact in contacts if contact is not None)
    query = select(of, func.max(seq)).where(of.in_(named)).group_by(of)
    return {row[0]: row[1] for row in connection.execute(query)}


def _row(record: Recorded, contact_seq: int | None) -> Row:
    event, meta = record.event, record.meta
    return {
        "position": record.position,
        "event_id": str(record.event_id),
        "event": event.type_name,
        "schema": event.version,
        "etsi": meta.etsi,
        "at": micros(meta.at),
        "contact": meta.contact,
        "envelope": meta.envelope,
        "actor": meta.actor,
        "actor_kind": meta.actor_kind,
        "role": meta.role,
        "reason": meta.reason,
        "grade": meta.grade,
        "means": text_of(event, "means"),
        "page": text_of(event, "page"),
        "revision": number_of(event, "revision"),
        "letter_hash": text_of(event, "letter_hash"),
        "rendition": text_of(event, "rendition"),
        "digest": record.digest,
        "contact_seq": contact_seq,
        "detail": detail_of(event),
    }
