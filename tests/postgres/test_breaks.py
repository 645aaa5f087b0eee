"""Broken wires, killed servers, lost answers: nothing told is lost or doubled."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from shared.eventstore.port import (
    NO_STREAM,
    PAGE,
    Appended,
    StoreUnavailable,
    WrongVersion,
)
from shared.eventstore.postgres import Address, PostgresJournal
from shared.eventstore.postgres.layout import LOCK
from tests.builders import raw
from tests.children import child
from tests.kurrent.cutter import Cutter
from tests.postgres.conftest import STORE, Opener
from tests.postgres.server import Server
from tests.waiting import AT_ONCE, LONG, persistently, until

READY = "ready to accept connections"
pytestmark = pytest.mark.integration


@pytest.fixture
def wire(stack: ExitStack, server: Server) -> Cutter:
    """Return a wire to the server that can be cut."""
    return stack.enter_context(closing(Cutter(server.port)))


@pytest.fixture
def wired(
    stack: ExitStack, server: Server, name: str, wire: Cutter, tmp_path: Path
) -> PostgresJournal:
    uri = f"postgresql://127.0.0.1:{wire.port}/{name}"
    address = Address.from_uri(uri, credentials=server.account(tmp_path))
    return stack.enter_context(closing(PostgresJournal(address, patience=LONG)))


@pytest.fixture
def running(server: Server) -> Iterator[Server]:
    """Give the server to a test that ends it; it runs again afterwards."""
    yield server
    server.start()


def took(action: Callable[[], object]) -> float:
    """Return how long `action` took to find the store unavailable; not for ever."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="no answer"):
        action()
    seconds = time.monotonic() - began
    assert seconds < AT_ONCE
    return seconds


def written(journal: PostgresJournal) -> list[str]:
    """Return the ids of all facts."""
    found: list[str] = []
    while page := journal.read_all(len(found), PAGE):
        found += [record.event_id.hex for record in page]
    return found


def test_a_cut_wire_is_mended_unnoticed(wired: PostgresJournal, wire: Cutter) -> None:
    for version in range(5):
        appended = wired.append("a", [raw()], expected=version - 1)
        assert appended == Appended(version=version, position=version + 1)
        wire.cut()
        assert len(wired.read_all(0, PAGE)) == version + 1
        wire.cut()


@pytest.mark.parametrize("size", [1, 2])
def test_a_lost_answer_is_settled_by_its_repeat(
    wired: PostgresJournal, wire: Cutter, server: Server, size: int
) -> None:
    wired.append("z", [raw()], expected=NO_STREAM)
    batch = [raw() for _ in range(size)]
    with ThreadPoolExecutor(1) as pool, server.owner(STORE) as owner:
        owner.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        answer = pool.submit(wired.append, "a", batch, expected=NO_STREAM)
        until(server.queue, "its turn to wait")
        wire.swallow.set()
        owner.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
        is_written = "SELECT FROM letterlock.events WHERE pos > 1"
        until(lambda: owner.execute(is_written).rowcount, "what was written")
        wire.cut(mend=True)  # and nobody was told
        assert answer.result(LONG) == Appended(version=size - 1, position=size + 1)
        assert not answer.result().fresh  # as far as the repeat knows
    assert len(written(wired)) == size + 1


def test_a_silent_server_is_waited_for_so_long_and_no_longer(
    wired: PostgresJournal, wire: Cutter
) -> None:
    event = raw()
    wired.append("z", [raw()], expected=NO_STREAM)
    wired._patience = wired._lines._patience = 1
    wire.swallow.set()
    assert took(lambda: wired.append("a", [event], expected=NO_STREAM)) > 0.8
    assert took(lambda: wired.read_all(0, 1)) > 0.8
    assert took(lambda: wired.wait(9, 0.1)) > 0.8
    wired._patience = wired._lines._patience = LONG
    wire.cut(mend=True)
    assert wired.append("a", [event], expected=NO_STREAM).version == 0
    assert len(written(wired)) == 2


def test_a_server_that_is_not_there_is_named_without_its_account(
    stack: ExitStack, server: Server, tmp_path: Path
) -> None:
    uri = "postgresql://127.0.0.1:1/nothing"
    address = Address.from_uri(uri, credentials=server.account(tmp_path))
    journal = stack.enter_context(closing(PostgresJournal(address, patience=0.3)))
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1 in") as told:
        journal.read_all(0, 1)
    assert "letterlock" not in str(told.value)
    assert "p@ss" not in str(told.value)


def test_of_several_servers_the_one_that_answers_is_taken(
    stack: ExitStack, server: Server, name: str, tmp_path: Path
) -> None:
    with closing(Cutter(server.port)) as silent:
        silent.swallow.set()
        targets = f"127.0.0.1:1,127.0.0.1:{silent.port},127.0.0.1:{server.port}"
        uri = f"postgresql://{targets}/{name}"
        address = Address.from_uri(uri, credentials=server.account(tmp_path))
        event = raw()
        with closing(PostgresJournal(address, patience=4)) as journal:
            answer = persistently(
                lambda: journal.append("a", [event], expected=NO_STREAM)
            )
        assert answer.position == 1


class Writers:
    """Threads that append until they are stopped; each append until it is settled."""

    def __init__(self, journal: PostgresJournal, count: int) -> None:
        self.told: list[str] = []  # ids of what was acknowledged
        self.unsure: list[str] = []
        self._journal = journal
        self._stop, self._given_up = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(n,), daemon=True)
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin no more; what was begun is settled, unless that takes too long."""
        self._stop.set()
        for thread in self._threads:
            thread.join(LONG)
        self._given_up.set()

    def go_on(self, count: int) -> None:
        """Return when so many more facts are acknowledged."""
        enough = len(self.told) + count
        until(lambda: len(self.told) >= enough, "an answer to what was appended")

    def _write(self, writer: int) -> None:
        version = NO_STREAM
        while not self._stop.is_set():
            batch = [raw() for _ in range(writer % 3 + 1)]
            ids = [event.event_id.hex for event in batch]
            appended = None
            while appended is None:
                try:
                    appended = self._journal.append(
                        f"s{writer}", batch, expected=version
                    )
                except StoreUnavailable:
                    self.unsure += ids
                    if self._given_up.wait(0.01):
                        return
            version = appended.version
            self.told += ids


def kill(server: Server, pid: int) -> None:
    """Kill a process of the server; return when that has started itself again."""
    lives = server.log.count(READY)
    os.kill(pid, signal.SIGKILL)
    until(lambda: server.log.count(READY) > lives, "the server")


def test_a_killed_process_of_the_server_loses_and_doubles_nothing(
    server: Server, open_journal: Opener
) -> None:
    journal = open_journal()
    writers = Writers(journal, 6)
    try:
        for _ in range(2):
            writers.go_on(30)
            server.start()  # answers
            with server.owner(STORE) as owner:
                killed = owner.execute(
                    "SELECT pid FROM pg_stat_activity WHERE query LIKE '%append%'"
                    " AND application_name = 'letterlock'"
                ).fetchone()
            assert killed
            kill(server, killed[0])
        writers.go_on(30)
    finally:
        writers.stop()
    assert writers.unsure == []
    assert Counter(writers.told) == Counter(written(journal))


def test_a_killed_server_is_unavailable_and_then_goes_on(
    running: Server, open_journal: Opener
) -> None:
    journal = open_journal(patience=1)
    writers = Writers(journal, 4)
    try:
        writers.go_on(20)
        running.stop(signal.SIGKILL)
        took(lambda: journal.read_all(0, 1))
        until(lambda: writers.unsure, "an append without an answer")
        running.start()
        writers.go_on(20)
    finally:
        writers.stop()
    patient = open_journal()
    stored = Counter(written(patient))
    assert Counter(writers.told) == stored
    assert set(writers.unsure) <= set(stored)
    assert patient.wait(len(writers.told) - 1, 0)


@pytest.mark.usefixtures("no_look")
def test_who_waits_hears_of_other_processes_at_once_and_after_a_break(
    server: Server, open_journal: Opener
) -> None:
    here, there = open_journal(), open_journal()
    assert not here.wait(0, 0)
    position = 0
    for version in range(6):
        if version == 3:
            with server.owner(STORE) as owner:
                owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'letterlock'"
                )
        timer = threading.Timer(
            0.1, there.append, ("a", [raw()]), {"expected": version - 1}
        )
        timer.start()
        began = time.monotonic()
        assert here.wait(position, LONG)
        assert time.monotonic() - began < AT_ONCE
        timer.join()
        position = here.read_all(position, 1)[0].position


def test_of_racing_processes_exactly_one_wins_each_version(
    server: Server, name: str, open_journal: Opener, tmp_path: Path
) -> None:
    account = server.account(tmp_path)
    words = ("race-postgres", server.uri(name), account, "25")
    racers = [child(*words) for _ in range(4)]
    wins = [
        int(won)
        for racer in racers
        for won in racer.communicate(timeout=2 * LONG)[0].split()
    ]
    assert [racer.returncode for racer in racers] == [0] * 4
    versions = [record.version for record in open_journal().read("a")]
    assert sorted(wins) == versions == list(range(len(versions)))


@pytest.mark.usefixtures("no_look")
def test_a_closed_journal_finishes_what_it_took_and_takes_no_more(
    server: Server, open_journal: Opener
) -> None:
    journal = open_journal()

    def write(stream: str) -> Appended:
        return journal.append(stream, [raw()], expected=NO_STREAM)

    with ThreadPoolExecutor(7) as pool, server.owner(STORE) as owner:
        owner.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        writes = [pool.submit(write, "first")]
        until(server.queue, "its turn to wait")
        writes += [pool.submit(write, f"s{n}") for n in range(4)]
        until(lambda: len(journal._folding._queue) == 4, "the others in the queue")
        waiter = pool.submit(journal.wait, 10**9, 2 * LONG)
        until(lambda: journal._watch._thread, "somebody who waits for news")
        ending = pool.submit(journal.close)
        until(lambda: journal._folding._closed, "the end of what it takes")
        owner.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
        ending.result(LONG)
        assert {write.result(LONG).version for write in writes} == {0}
        waiter.exception(AT_ONCE)  # ended, one way or the other
    for attempt in (
        lambda: journal.append("a", [raw()], expected=NO_STREAM),
        lambda: journal.read_all(0, 1),
        lambda: list(journal.read("a")),
    ):
        with pytest.raises(StoreUnavailable, match="closed"):
            attempt()
    journal.close()  # again, harmless


def test_a_stale_writer_is_told_so_after_a_break(
    wired: PostgresJournal, wire: Cutter
) -> None:
    wired.append("a", [raw()], expected=NO_STREAM)
    wire.cut()
    with pytest.raises(WrongVersion):
        wired.append("a", [raw()], expected=NO_STREAM)
