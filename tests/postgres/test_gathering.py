"""Callers that write together go on together; one alone waits for nobody."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.eventstore.folding import Ask
from shared.eventstore.port import NO_STREAM, Appended, StoreUnavailable
from shared.eventstore.postgres.gathering import Gathering
from tests.builders import raw
from tests.waiting import LONG, until


class Book:
    """Writes batches down; the first is held until it may end."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Event()
        self.open = threading.Event()

    def write(self, batch: Sequence[Ask]) -> None:
        self.batches.append([ask.stream for ask in batch])
        self.entered.set()
        assert self.open.wait(LONG)
        time.sleep(0.001)
        for ask in batch:
            ask.verdict = Appended(version=0, position=1)


def an_ask(name: str) -> Ask:
    return Ask(name, [raw()], NO_STREAM)


def test_those_who_wrote_together_do_so_again_and_each_is_written_once() -> None:
    book = Book()

    def write(batch: Sequence[Ask]) -> None:
        book.write(batch)
        if len(book.batches) == 3:
            gathering._longest = 0  # the last ones need not wait for who is through

    gathering = Gathering(write, share=1e6, longest=LONG)

    def call(caller: int) -> None:
        for turn in range(3):
            gathering.submit(an_ask(f"{caller}-{turn}"))

    with ThreadPoolExecutor(5) as pool:
        callers = [pool.submit(call, 0)]
        assert book.entered.wait(LONG)
        callers += [pool.submit(call, caller) for caller in range(1, 5)]
        until(lambda: len(gathering._queue) == 4, "all but the first in the queue")
        book.open.set()
        for caller in callers:
            caller.result(2 * LONG)
    gathering.close()
    _, waited, again = book.batches[:3]
    written = [name for batch in book.batches for name in batch]
    assert sorted(written) == sorted(f"{c}-{t}" for c in range(5) for t in range(3))
    assert len(waited) >= 4  # those who waited for the first
    assert len(again) >= len(waited)  # no fewer are written the next time


def test_one_alone_is_written_alone() -> None:
    book = Book()
    book.open.set()
    gathering = Gathering(book.write, share=1e6, longest=60)
    for name in "abc":
        gathering.submit(an_ask(name))
    assert book.batches == [["a"], ["b"], ["c"]]
    gathering.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        gathering.submit(an_ask("d"))


def test_a_write_that_breaks_leaves_nobody_waiting() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def write(batch: Sequence[Ask]) -> None:
        entered.set()
        go_on.wait(LONG)
        if batch[0].stream == "late":
            raise KeyboardInterrupt
        for ask in batch:
            ask.verdict = Appended(version=0, position=1)

    gathering = Gathering(write)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(gathering.submit, an_ask("first"))
        assert entered.wait(LONG)
        late = [pool.submit(gathering.submit, an_ask("late")) for _ in range(3)]
        until(lambda: len(gathering._queue) == 3, "all in the queue")
        go_on.set()
        assert first.result(LONG) == Appended(version=0, position=1)
        told = Counter(type(each.exception(LONG)) for each in late)
    assert told == {KeyboardInterrupt: 1, StoreUnavailable: 2}
    gathering.close()
