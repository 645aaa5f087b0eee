"""Time: microseconds on disk, aware in the program, never backwards in a stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from shared.clock import EPOCH, SystemClock, from_micros, micros, not_before
from shared.eventstore.port import NO_STREAM
from tests.builders import NOON, a_clock, a_store, new


@given(st.integers(min_value=-(2**54), max_value=2**57))
def test_microseconds_come_back_as_they_were(value: int) -> None:
    assert micros(from_micros(value)) == value
    assert from_micros(value).tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_come_back_as_they_were(at: datetime) -> None:
    assert from_micros(micros(at)) == at


def test_the_zone_does_not_matter() -> None:
    assert micros(NOON.astimezone(timezone(timedelta(hours=5)))) == micros(NOON)
    assert micros(EPOCH) == 0


def test_the_system_clock_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= SystemClock().now() <= datetime.now(UTC)
    assert SystemClock().now().tzinfo is UTC


def test_a_manual_clock_moves_when_told() -> None:
    clock = a_clock()
    assert clock.now() == clock.now() == NOON
    clock.move(timedelta(days=-1))
    assert clock.now() == NOON - timedelta(days=1)


def test_a_new_fact_is_never_earlier_than_the_last() -> None:
    store, clock = a_store(), a_clock()
    assert not_before(clock, []) == NOON
    later = NOON + timedelta(minutes=5)
    store.append("thing.thing-1", [new(at=later)], expected=NO_STREAM)
    assert not_before(clock, list(store.read("thing.thing-1"))) == later
    clock.move(timedelta(hours=1))
    assert not_before(clock, list(store.read("thing.thing-1"))) == clock.now()
