"""Time, asked for in one place so that a test can hold it still."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from shared.events import Recorded
from shared.instants import EPOCH, from_micros, micros

__all__ = [
    "EPOCH",
    "Clock",
    "ManualClock",
    "SystemClock",
    "from_micros",
    "micros",
    "not_before",
]


class Clock(Protocol):
    """Tells the time, aware and in UTC."""

    def now(self) -> datetime:
        """Return the current instant."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current instant, to the microsecond."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime) -> None:
        """Stand still at `start`."""
        self._now = start

    def now(self) -> datetime:
        """Return the instant it stands at."""
        return self._now

    def move(self, by: timedelta) -> None:
        """Go forward, or back, by `by`."""
        self._now += by


def not_before(clock: Clock, history: Sequence[Recorded]) -> datetime:
    """Return now, but never earlier than the last fact of `history` (I9)."""
    now = clock.now()
    return max(now, history[-1].recorded_at) if history else now
