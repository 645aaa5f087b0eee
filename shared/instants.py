"""Instants on disk and wire: whole microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST: Final = -62_135_596_800_000_000  # the year 1 begins
LAST: Final = 253_402_300_799_999_999  # the year 9999 ends


def micros(at: datetime) -> int:
    """Return `at` as int64 microseconds since 1970 UTC, the form on disk and wire."""
    return (at - EPOCH) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    """Return the aware instant of `value` microseconds since 1970 UTC.

    Raises:
        OverflowError: before `FIRST` or after `LAST`.
    """
    return EPOCH + timedelta(0, 0, value)
