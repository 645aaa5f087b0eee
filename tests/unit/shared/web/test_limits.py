"""Guessing gets slower and slower; nobody is shut out by the guesses of others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import ManualClock
from shared.web.limits import Limiter, TooManyTries, seconds

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


def refused(limiter: Limiter, account: str, source: str, browser: str = "") -> int:
    """Return the seconds to wait; 0 if the try was heard."""
    try:
        limiter.admit("sign-in", account=account, source=source, browser=browser)
    except TooManyTries as error:
        return seconds(error.retry_after)
    return 0


def test_a_thousand_guesses_at_one_account_from_anywhere_are_mostly_unheard(
    clock: ManualClock,
) -> None:
    limiter = Limiter(clock)
    heard = 0
    for number in range(1000):
        heard += refused(limiter, "victim", f"10.0.{number // 250}.{number % 250}") == 0
        clock.move(timedelta(seconds=1))
    assert heard < 30


def test_a_thousand_guesses_from_one_source_at_many_accounts_are_mostly_unheard(
    clock: ManualClock,
) -> None:
    limiter = Limiter(clock)
    heard = 0
    for number in range(1000):
        heard += refused(limiter, f"account-{number}", "10.0.0.1") == 0
        clock.move(timedelta(seconds=1))
    assert heard < 40


def test_the_wait_doubles_up_to_a_ceiling(clock: ManualClock) -> None:
    limiter = Limiter(clock)
    waits = []
    for number in range(13):
        if wait := refused(limiter, "ann", f"10.0.0.{number}"):
            waits.append(wait)
            clock.move(timedelta(seconds=wait))
            assert refused(limiter, "ann", f"10.0.0.{number}") == 0
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_refused_try_does_not_lengthen_the_wait(clock: ManualClock) -> None:
    limiter = Limiter(clock)
    while (wait := refused(limiter, "ann", "10.0.0.1")) == 0:
        pass
    assert {refused(limiter, "ann", "10.0.0.1") for _ in range(50)} == {wait}


def test_the_owner_on_a_known_browser_is_not_slowed_by_strangers(
    clock: ManualClock,
) -> None:
    limiter = Limiter(clock)
    assert refused(limiter, "ann", "192.0.2.7", "ann's browser") == 0
    limiter.succeeded("sign-in", account="ann", browser="ann's browser")
    for number in range(200):
        refused(limiter, "ann", f"10.0.0.{number}", "robot")
    assert refused(limiter, "ann", "192.0.2.8", "another browser") > 0
    assert refused(limiter, "ann", "192.0.2.7", "ann's browser") == 0


def test_success_forgets_the_failures(clock: ManualClock) -> None:
    limiter = Limiter(clock)
    while refused(limiter, "ann", "10.0.0.1") == 0:
        pass
    limiter.succeeded("sign-in", account="ann")
    assert refused(limiter, "ann", "10.0.0.2") == 0


def test_an_hour_of_calm_forgets_all(clock: ManualClock) -> None:
    limiter = Limiter(clock)
    while refused(limiter, "ann", "10.0.0.1") == 0:
        pass
    clock.move(timedelta(hours=1))
    assert [refused(limiter, "ann", "10.0.0.1") for _ in range(4)] == [0] * 4


def test_memory_is_bounded_and_names_nobody(clock: ManualClock) -> None:
    limiter = Limiter(clock, remembered=100)
    for number in range(1000):
        refused(limiter, f"tom{number}@example.org", f"source-{number}")
        limiter.succeeded("x", account=f"tom{number}", browser="b")
    assert len(limiter._counts) == 100
    assert len(limiter._known) == 100
    assert b"tom" not in b"".join(limiter._counts)


def test_threads_share_one_allowance(clock: ManualClock) -> None:
    limiter = Limiter(clock)
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda n: refused(limiter, "ann", f"s{n}"), range(200)))
    assert waits.count(0) == 5


def test_people_behind_one_address_do_not_delay_each_other_by_succeeding(
    clock: ManualClock,
) -> None:
    limiter = Limiter(clock)
    for number in range(200):
        person = f"person-{number}"
        assert refused(limiter, person, "10.0.0.1") == 0
        limiter.succeeded("sign-in", account=person, source="10.0.0.1")
        clock.move(timedelta(seconds=1))


def test_an_account_of_ones_own_does_not_wipe_out_guesses_at_others(
    clock: ManualClock,
) -> None:
    limiter = Limiter(clock)
    heard = 0
    for number in range(1000):
        if refused(limiter, "mallory", "10.0.0.1") == 0:
            limiter.succeeded("sign-in", account="mallory", source="10.0.0.1")
        heard += refused(limiter, f"account-{number}", "10.0.0.1") == 0
        clock.move(timedelta(seconds=1))
    assert heard < 40
