"""The reader of the list of staff."""

from __future__ import annotations

from sqlalchemy import select

from services.portal.tables import STAFF, STAFF_NAME
from shared.readmodel import ReadModel


class StaffDirectory:
    """Who was ever invited. What they may do now is read from the streams."""

    def __init__(self, readmodel: ReadModel) -> None:
        """Read from `readmodel`."""
        self._readmodel = readmodel

    def ids(self, after: int) -> tuple[str, ...]:
        """Return all ids, oldest first; waits up to 2 s for position `after`."""
        self._readmodel.await_position(after, STAFF_NAME)
        query = select(STAFF.c.staff_id).order_by(STAFF.c.position)
        with self._readmodel.connect() as connection:
            return tuple(str(staff_id) for staff_id in connection.scalars(query))
