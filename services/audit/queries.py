"""The readers of the trail."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Row, select

from services.audit.api import Trail, TrailLine
from services.audit.commands import GetTimeline, GetTrail
from services.audit.errors import TrailUnknown
from services.audit.tables import TRAIL, TRAIL_NAME
from shared.clock import from_micros
from shared.readmodel import ReadModel

LONGEST: Final = 1000  # lines of one page of the trail


class TrailQueries:
    """Answers from the trail as far as it has been written."""

    def __init__(self, readmodel: ReadModel) -> None:
        """Read from `readmodel`."""
        self._readmodel = readmodel

    def timeline(self, request: GetTimeline) -> Trail:
        """Return every fact of one envelope, oldest first.

        Waits up to 2 s for position `after`; with `fresh` False there may be more to
        come, and an envelope without facts is then no error.

        Raises:
            TrailUnknown: no fact names this envelope.
        """
        fresh = self._readmodel.await_position(request.after, TRAIL_NAME)
        query = (
            select(TRAIL)
            .where(TRAIL.c.envelope == request.envelope_id)
            .order_by(TRAIL.c.position)
        )
        with self._readmodel.connect() as connection:
            lines = tuple(_line(row) for row in connection.execute(query))
        if fresh and not lines:
            raise TrailUnknown
        return Trail(lines=lines, fresh=fresh)

    def trail(self, request: GetTrail) -> Trail:
        """Return one page of the trail, newest first.

        A page holds `limit` lines, at least 1 and at most 1,000; the next one starts
        `before` the last line's position. Waits for `after` as `timeline` does.
        """
        fresh = self._readmodel.await_position(request.after, TRAIL_NAME)
        limit = min(max(request.limit, 1), LONGEST)
        query = select(TRAIL).order_by(TRAIL.c.position.desc()).limit(limit + 1)
        if request.contact_id is not None:
            query = query.where(TRAIL.c.contact == request.contact_id)
        if request.type_name is not None:
            query = query.where(TRAIL.c.event == request.type_name)
        if request.before > 0:
            query = query.where(TRAIL.c.position < request.before)
        with self._readmodel.connect() as connection:
            lines = tuple(_line(row) for row in connection.execute(query))
        return Trail(lines=lines[:limit], more=len(lines) > limit, fresh=fresh)


def _line(row: Row[Any]) -> TrailLine:
    values = row._asdict()
    return TrailLine(**{**values, "at": from_micros(values["at"])})
