"""Dates and distances as people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.web.words import day, distance, moment, weekday

NOON = datetime(2026, 3, 2, 12, 5, tzinfo=UTC)


def test_a_moment_prints_its_zone() -> None:
    assert moment(NOON) == "Mon 2 March 2026, 12:05 UTC"
    assert day(NOON) == "2 March 2026"
    assert weekday(NOON) == "Monday 2 March 2026"


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(seconds=-59), "just now"),
        (timedelta(minutes=-1), "1 minute ago"),
        (timedelta(hours=3), "in 3 hours"),
        (timedelta(days=-2), "2 days ago"),
        (timedelta(days=7), "in 7 days"),
        (timedelta(days=-14), "on 16 February 2026"),
    ],
)
def test_distances_are_told_in_one_unit(away: timedelta, words: str) -> None:
    assert distance(NOON + away, NOON) == words
