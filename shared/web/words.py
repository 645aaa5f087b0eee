"""How dates, times and states are put into words on a page. Zone always printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WEEKS: Final = 14


def moment(at: datetime) -> str:
    """Return e.g. "Mon 2 March 2026, 12:05 UTC"."""
    return f"{at:%a} {at.day} {at:%B %Y, %H:%M} {at.tzname()}"


def instant(at: datetime) -> str:
    """Return e.g. "Monday 2 March 2026, 12:05 UTC": for running text."""
    return f"{weekday(at)}, {at:%H:%M} {at.tzname()}"


def day(at: datetime) -> str:
    """Return e.g. "2 March 2026"."""
    return f"{at.day} {at:%B %Y}"


def weekday(at: datetime) -> str:
    """Return e.g. "Monday 2 March 2026"."""
    return f"{at:%A} {day(at)}"


def distance(at: datetime, now: datetime) -> str:
    """Return how far `at` is from `now`: "3 hours ago", "in 2 days", "just now"."""
    seconds = int((at - now).total_seconds())
    size = abs(seconds)
    if size < MINUTE:
        return "just now"
    if size < HOUR:
        words = _count(size // MINUTE, "minute")
    elif size < DAY:
        words = _count(size // HOUR, "hour")
    elif size < WEEKS * DAY:
        words = _count(size // DAY, "day")
    else:
        return f"on {day(at)}"
    return f"in {words}" if seconds > 0 else f"{words} ago"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


FILTERS: Final[Mapping[str, Callable[..., str]]] = {
    "moment": moment,
    "instant": instant,
    "day": day,
    "weekday": weekday,
    "distance": distance,
}
