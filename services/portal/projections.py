"""The writer of the list of staff. Holds ids only, so a rebuild is the same (I6)."""

from __future__ import annotations

from sqlalchemy import insert, select

from services.portal.events import StaffInvited
from services.portal.tables import STAFF, STAFF_NAME
from shared.events import Recorded
from shared.readmodel import Connection, Table


class StaffProjection:
    """Writes one row for each person invited; safe to replay."""

    name = STAFF_NAME
    tables: tuple[Table, ...] = (STAFF,)

    def apply(self, connection: Connection, record: Recorded) -> None:
        """Note an invitation; ignore all else, and what is noted already."""
        if not isinstance(record.event, StaffInvited):
            return
        staff_id = record.event.staff_id
        known = select(STAFF.c.position).where(STAFF.c.staff_id == staff_id)
        if connection.scalar(known) is None:
            row = {"staff_id": staff_id, "position": record.position}
            connection.execute(insert(STAFF), row)
