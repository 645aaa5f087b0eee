"""Operational tables: first readings of tickets, and sendings of each person.

They are truth of the hour, not of seven years: losing them costs one line of evidence
too many, or a ceiling that starts at nought.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, insert, select

from services.envelope.tables import OPERATIONAL, SENDINGS, TICKETS
from shared.clock import micros
from shared.readmodel import ReadModel

KEPT: Final = timedelta(days=8)


class CounterTables:
    """As the `Counters` port; makes its tables at the first use."""

    def __init__(self, readmodel: ReadModel) -> None:
        """Write to `readmodel`; opens nothing yet."""
        self._readmodel = readmodel
        self._made = False
        self._lock = threading.Lock()

    def sendings(self, actor_id: str, since: datetime) -> int:
        """As `Counters.sendings`."""
        self._make()
        with self._readmodel.connect() as connection:
            found = connection.scalar(
                select(func.count()).where(
                    SENDINGS.c.actor_id == actor_id,
                    SENDINGS.c.sent_at > micros(since),
                )
            )
        return int(found or 0)

    def claim_sending(
        self,
        actor_id: str,
        command_id: UUID,
        at: datetime,
        *,
        since: datetime,
        most: int,
    ) -> bool:
        """As `Counters.claim_sending`."""
        self._make()
        with self._readmodel.begin() as connection:
            old = SENDINGS.c.sent_at < micros(at - KEPT)
            connection.execute(delete(SENDINGS).where(old))
            counted = connection.scalar(
                select(func.count()).where(SENDINGS.c.command_id == str(command_id))
            )
            if counted:
                return True
            others = connection.scalar(
                select(func.count()).where(
                    SENDINGS.c.actor_id == actor_id,
                    SENDINGS.c.sent_at > micros(since),
                )
            )
            if (others or 0) >= most:
                return False
            row = {
                "command_id": str(command_id),
                "actor_id": actor_id,
                "sent_at": micros(at),
            }
            connection.execute(insert(SENDINGS), row)
            return True

    def first_reading(self, opening_id: UUID, command_id: UUID, at: datetime) -> bool:
        """As `Counters.first_reading`."""
        self._make()
        with self._readmodel.begin() as connection:
            connection.execute(
                delete(TICKETS).where(TICKETS.c.read_at < micros(at - KEPT))
            )
            reader = connection.scalar(
                select(TICKETS.c.command_id).where(
                    TICKETS.c.opening_id == str(opening_id)
                )
            )
            if reader is not None:
                return bool(reader == str(command_id))
            row = {
                "opening_id": str(opening_id),
                "command_id": str(command_id),
                "read_at": micros(at),
            }
            connection.execute(insert(TICKETS), row)
            return True

    def _make(self) -> None:
        with self._lock:
            if not self._made:
                self._readmodel.create(OPERATIONAL)
                self._made = True
