"""Batches of appends by writers that remember: to each its own verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import DomainError
from shared.eventstore.folding import Ask
from shared.eventstore.memory import MemoryJournal
from shared.eventstore.port import (
    NO_STREAM,
    Appended,
    RawEvent,
    RawRecord,
    WrongVersion,
)
from shared.eventstore.sqlite import SqliteJournal
from shared.eventstore.sqlitewriter import ROWS, Writer
from tests.builders import raw

EVENTS = [raw() for _ in range(12)]  # few, so that ids are often taken
asks = st.tuples(
    st.sampled_from("abc"),
    st.lists(st.sampled_from(EVENTS), min_size=1, max_size=3),
    st.integers(NO_STREAM, 4),
)
turns = st.tuples(st.integers(0, 1), st.lists(asks, min_size=1, max_size=5))


@contextmanager
def writers(folder: Path, count: int) -> Iterator[tuple[SqliteJournal, list[Writer]]]:
    """Open one file several times, as processes of their own would."""
    with ExitStack() as stack:
        path = folder / "store.db"
        journal = stack.enter_context(closing(SqliteJournal(path)))
        yield (
            journal,
            [stack.enter_context(closing(Writer(path))) for _ in range(count)],
        )


@pytest.fixture
def one(tmp_path: Path) -> Iterator[tuple[SqliteJournal, Writer]]:
    with writers(tmp_path, 1) as (journal, (writer,)):
        yield journal, writer


def plain(verdict: object) -> object:
    return verdict if isinstance(verdict, Appended) else type(verdict)


def answer(model: MemoryJournal, ask: Ask) -> object:
    try:
        return model.append(ask.stream, ask.events, expected=ask.expected)
    except (DomainError, ValueError) as error:
        return type(error)


def places(records: Sequence[RawRecord]) -> list[tuple[object, ...]]:
    return [(r.position, r.stream, r.version, r.event_id) for r in records]


@settings(max_examples=60, deadline=None)
@given(st.lists(turns, max_size=8))
def test_a_batch_is_judged_as_its_appends_would_be_one_by_one(
    history: list[tuple[int, list[tuple[str, list[RawEvent], int]]]],
) -> None:
    model = MemoryJournal()
    with TemporaryDirectory() as folder, writers(Path(folder), 2) as (journal, two):
        for turn, told in history:
            batch = [Ask(*each) for each in told]

            head = two[turn].write(batch)

            assert [plain(ask.verdict) for ask in batch] == [
                answer(model, ask) for ask in batch
            ]
            stored = journal.read_all(0, 1000)
            assert places(stored) == places(model.read_all(0, 1000))
            assert head == len(stored)


@pytest.mark.parametrize("known", [False, True])
def test_one_bad_append_in_a_batch_leaves_the_others_their_verdicts(
    one: tuple[SqliteJournal, Writer], *, known: bool
) -> None:
    journal, writer = one
    taken = raw()
    journal.append("a", [taken], expected=NO_STREAM)
    if known:
        writer.write([Ask("a", [raw()], 0), Ask("b", [raw()], NO_STREAM)])
    ends = {"a": 1, "b": 0} if known else {"a": 0, "b": NO_STREAM}
    head = 3 if known else 1
    batch = [
        Ask("a", [raw()], ends["a"]),
        Ask("b", [raw(), taken], ends["b"]),
        Ask("b", [raw()], 7),
        Ask("a", [taken], NO_STREAM),
        Ask("b", [raw(), raw()], ends["b"]),
        Ask("c", [raw()], NO_STREAM),
    ]

    assert writer.write(batch) == head + 4

    assert [plain(ask.verdict) for ask in batch] == [
        Appended(version=ends["a"] + 1, position=head + 1),
        ValueError,
        WrongVersion,
        Appended(version=0, position=1),
        Appended(version=ends["b"] + 2, position=head + 3),
        Appended(version=0, position=head + 4),
    ]
    assert [record.position for record in journal.read_all(0, 100)] == list(
        range(1, head + 5)
    )


def test_more_rows_than_one_statement_takes_are_written_whole_or_not_at_all(
    one: tuple[SqliteJournal, Writer],
) -> None:
    journal, writer = one
    taken = raw()
    writer.write([Ask("a", [taken], NO_STREAM)])
    many = [raw() for _ in range(2 * ROWS)]
    refused, written = Ask("a", [*many, taken], 0), Ask("a", many, 0)

    writer.write([refused])
    assert isinstance(refused.verdict, ValueError)
    assert len(journal.read_all(0, 1000)) == 1

    writer.write([written])
    assert written.verdict == Appended(version=2 * ROWS, position=2 * ROWS + 1)
    assert len(journal.read_all(0, 1000)) == 2 * ROWS + 1


def test_only_the_call_that_wrote_says_so(one: tuple[SqliteJournal, Writer]) -> None:
    _, writer = one
    event = raw()
    batch = [Ask("a", [event], NO_STREAM) for _ in range(2)]

    writer.write(batch)

    verdicts = [ask.verdict for ask in batch]
    assert verdicts == [Appended(version=0, position=1)] * 2
    assert [v.fresh for v in verdicts if isinstance(v, Appended)] == [True, False]
