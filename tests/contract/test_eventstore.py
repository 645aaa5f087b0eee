"""Every journal keeps the same promises."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.codec import EventCodec
from shared.eventstore import sqlite
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.eventstore.port import (
    NO_STREAM,
    PAGE,
    Appended,
    Journal,
    WrongVersion,
)
from shared.eventstore.sqlite import SqliteJournal
from shared.ids import mint
from tests.builders import new, raw
from tests.facts import ThingMade
from tests.waiting import AT_ONCE, LONG

OPENERS: dict[str, Callable[[Path], Journal]] = {
    "memory": lambda _: MemoryJournal(),
    "sqlite": lambda folder: SqliteJournal(folder / "store.db"),
}


@pytest.fixture(params=OPENERS)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    opened = OPENERS[request.param](tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put off the look each second, which would stand in for a hint that is lost."""
    monkeypatch.setattr(sqlite, "SAFETY_POLL", LONG)


def positions(journal: Journal) -> list[int]:
    return [record.position for record in journal.read_all(0, PAGE)]


def test_an_unknown_stream_yields_nothing(journal: Journal) -> None:
    assert list(journal.read("thing.thing-9")) == []
    assert list(journal.read_all(0, PAGE)) == []


def test_what_was_appended_is_read_back_as_it_was(journal: Journal) -> None:
    events = [raw(size=3), raw()]
    appended = journal.append("thing.thing-1", events, expected=NO_STREAM)
    assert appended == Appended(version=1, position=2)
    for records in (journal.read("thing.thing-1"), journal.read_all(0, PAGE)):
        for index, (record, event) in enumerate(zip(records, events, strict=True)):
            assert record.event_id == event.event_id
            assert (record.body, record.meta) == (event.body, event.meta)
            assert (record.type_name, record.schema) == ("ThingMade", 1)
            assert record.stream == "thing.thing-1"
            assert (record.version, record.position) == (index, index + 1)


def test_a_stale_writer_writes_nothing(journal: Journal) -> None:
    journal.append("a", [raw()], expected=NO_STREAM)
    for stale in (NO_STREAM, 1, 7):
        with pytest.raises(WrongVersion):
            journal.append("a", [raw(), raw()], expected=stale)
    assert len(list(journal.read("a"))) == 1
    assert positions(journal) == [1]


def test_the_first_fact_of_a_stream_expects_none(journal: Journal) -> None:
    with pytest.raises(WrongVersion):
        journal.append("a", [raw()], expected=0)
    assert list(journal.read("a")) == []


def test_a_repeat_returns_the_first_answer(journal: Journal) -> None:
    batch = [raw(), raw()]
    first = journal.append("a", batch, expected=NO_STREAM)
    again = journal.append("a", batch, expected=NO_STREAM)
    assert again == first
    assert not again.fresh
    assert len(list(journal.read("a"))) == 2


def test_a_repeat_returns_the_first_answer_after_others_wrote(
    journal: Journal,
) -> None:
    batch = [raw(), raw()]
    first = journal.append("a", batch, expected=NO_STREAM)
    journal.append("b", [raw()], expected=NO_STREAM)
    journal.append("a", [raw()], expected=1)
    assert journal.append("a", batch, expected=NO_STREAM) == first
    assert journal.append("a", batch, expected=2) == first  # it had reloaded meanwhile
    assert positions(journal) == [1, 2, 3, 4]


def test_half_a_repeat_is_a_stale_writer(journal: Journal) -> None:
    one = raw()
    journal.append("a", [one], expected=NO_STREAM)
    with pytest.raises(WrongVersion):
        journal.append("a", [one, raw()], expected=NO_STREAM)
    assert len(list(journal.read("a"))) == 1


@pytest.mark.parametrize("stream", ["a", "b"])
def test_an_id_taken_by_another_fact_is_refused_whole(
    journal: Journal, stream: str
) -> None:
    one = raw()
    journal.append("a", [one], expected=NO_STREAM)
    expected = 0 if stream == "a" else NO_STREAM
    with pytest.raises(ValueError, match="already taken"):
        journal.append(stream, [raw(), one], expected=expected)
    twice = raw()
    with pytest.raises(ValueError, match="already taken"):
        journal.append("c", [twice, twice], expected=NO_STREAM)
    assert positions(journal) == [1]
    assert list(journal.read("b")) == []
    assert list(journal.read("c")) == []
    journal.append("b", [raw()], expected=NO_STREAM)
    assert positions(journal) == [1, 2]


def test_an_empty_batch_is_refused(journal: Journal) -> None:
    with pytest.raises(ValueError, match="at least one"):
        journal.append("a", [], expected=NO_STREAM)


def test_a_stream_is_read_from_where_the_reader_stands(journal: Journal) -> None:
    journal.append("a", [raw() for _ in range(5)], expected=NO_STREAM)
    journal.append("b", [raw()], expected=NO_STREAM)
    assert [record.version for record in journal.read("a", after=2)] == [3, 4]
    assert list(journal.read("a", after=4)) == []
    assert list(journal.read("a", after=40)) == []


def test_a_long_stream_is_read_whole(journal: Journal) -> None:
    many = PAGE * 2 + 3
    journal.append("a", [raw() for _ in range(many)], expected=NO_STREAM)
    assert [r.version for r in journal.read("a")] == list(range(many))


def test_all_streams_are_read_in_pages(journal: Journal) -> None:
    for version in range(3):
        for stream in "abc":
            journal.append(stream, [raw()], expected=version - 1)
    assert [r.position for r in journal.read_all(4, 3)] == [5, 6, 7]
    assert [r.position for r in journal.read_all(8, 3)] == [9]
    assert list(journal.read_all(9, 3)) == []


@pytest.mark.usefixtures("no_look")
def test_waiting_ends_with_the_fact_waited_for(journal: Journal) -> None:
    assert not journal.wait(0, 0)
    assert not journal.wait(0, 0.05)
    seen: list[bool] = []
    waiter = threading.Thread(target=lambda: seen.append(journal.wait(0, LONG)))
    waiter.start()
    journal.append("a", [raw()], expected=NO_STREAM)
    waiter.join(AT_ONCE)
    assert seen == [True]
    assert journal.wait(0, 0)
    assert not journal.wait(1, 0.02)


def test_of_many_racers_for_one_version_exactly_one_wins(journal: Journal) -> None:
    racers, rounds = 8, 20
    gate = threading.Barrier(racers)

    def race(_: int) -> list[int]:
        won = []
        for version in range(rounds):
            gate.wait(LONG)
            try:
                journal.append("a", [raw(), raw()], expected=version * 2 - 1)
            except WrongVersion:
                continue
            won.append(version)
        return won

    with ThreadPoolExecutor(racers) as pool:
        wins = [version for won in pool.map(race, range(racers)) for version in won]
    assert sorted(wins) == list(range(rounds))
    assert [r.version for r in journal.read("a")] == list(range(rounds * 2))


def test_racing_repeats_of_one_command_all_get_the_same_answer(
    journal: Journal,
) -> None:
    for version in range(10):
        event = raw()
        with ThreadPoolExecutor(4) as pool:
            answers = {
                pool.submit(journal.append, "a", [event], expected=version - 1)
                for _ in range(4)
            }
        assert len({answer.result() for answer in answers}) == 1
    assert len(list(journal.read("a"))) == 10


def test_a_follower_never_misses_a_fact_of_concurrent_writers(
    journal: Journal,
) -> None:
    writers, each = 8, 40
    seen: list[int] = []

    def follow() -> None:
        while len(seen) < writers * each and journal.wait(len(seen), LONG):
            page = journal.read_all(seen[-1] if seen else 0, 7)
            seen.extend(record.position for record in page)

    def write(writer: int) -> None:
        for version in range(each):
            journal.append(f"s{writer}", [raw()], expected=version - 1)

    follower = threading.Thread(target=follow)
    follower.start()
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    follower.join(LONG)

    assert seen == list(range(1, writers * each + 1))


def test_batches_of_concurrent_writers_do_not_mingle(journal: Journal) -> None:
    def write(writer: int) -> None:
        for turn in range(10):
            batch = [raw() for _ in range(5)]
            journal.append(f"s{writer}", batch, expected=turn * 5 - 1)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    records = journal.read_all(0, PAGE)
    for start in range(0, 300, 5):
        assert len({record.stream for record in records[start : start + 5]}) == 1


def test_a_coded_store_gives_back_facts(journal: Journal) -> None:
    store = CodedStore(journal, EventCodec("thing"))
    event = new(ThingMade(thing_id="t1", size=3))
    store.append("thing.thing-t1", [event], expected=NO_STREAM)
    assert store.wait(0, 0)
    (record,) = store.read("thing.thing-t1")
    assert record.event == event.event
    assert record.meta == event.meta
    assert record.event_id == event.event_id
    assert len(record.digest) == 64
    assert list(store.read_all()) == [record]
    assert list(store.read("thing.thing-t1", after=0)) == []


def test_ids_survive_unchanged(journal: Journal) -> None:
    event_id = mint()
    journal.append("a", [raw(event_id)], expected=NO_STREAM)
    assert next(iter(journal.read("a"))).event_id == event_id
