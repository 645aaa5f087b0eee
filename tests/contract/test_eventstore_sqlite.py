"""What the SQLite journal promises beyond the port: its file, its faults, its kin."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

import pytest

from shared.eventstore.folding import Ask, Folding
from shared.eventstore.port import (
    NO_STREAM,
    PAGE,
    Appended,
    CorruptRecord,
    StoreUnavailable,
    WrongVersion,
)
from shared.eventstore.sqlite import SqliteJournal
from shared.eventstore.sqlitefile import checksum
from tests.builders import raw
from tests.children import child
from tests.waiting import AT_ONCE, LONG, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "da?t%a #1" / "store.db"  # a name that is no URI


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    opened = SqliteJournal(path)
    yield opened
    opened.close()


def tamper(path: Path, *statements: str) -> None:
    """Change the file as an intruder with full access would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for (trigger,) in triggers:
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)


def test_a_restart_loses_nothing_and_repeats_still_get_the_first_answer(
    path: Path,
) -> None:
    batch = [raw(), raw()]
    first = SqliteJournal(path)
    answer = first.append("a", batch, expected=NO_STREAM)
    first.close()
    with closing(SqliteJournal(path)) as second:
        assert [r.event_id for r in second.read("a")] == [e.event_id for e in batch]
        assert second.append("a", batch, expected=NO_STREAM) == answer
        with pytest.raises(WrongVersion):
            second.append("a", [raw()], expected=NO_STREAM)


def test_file_and_folder_are_private(path: Path, journal: SqliteJournal) -> None:
    journal.append("a", [raw()], expected=NO_STREAM)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    files = list(path.parent.iterdir())
    assert {file.name for file in files} == {"store.db", "store.db-wal", "store.db-shm"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = x'7b7d'",
        "DELETE FROM events",
        "UPDATE streams SET name = 'b'",
        "DELETE FROM streams",
    ],
)
def test_the_file_itself_refuses_to_change_a_fact(
    path: Path, journal: SqliteJournal, statement: str
) -> None:
    journal.append("a", [raw()], expected=NO_STREAM)
    with (
        closing(sqlite3.connect(path)) as intruder,
        pytest.raises(sqlite3.IntegrityError, match="never"),
    ):
        intruder.execute(statement)
    assert len(list(journal.read("a"))) == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET body = CAST(replace(body, 'x', 'y') AS BLOB) WHERE pos = 2",
        "UPDATE events SET meta = CAST(meta || ' ' AS BLOB) WHERE pos = 2",
        "UPDATE events SET type = 'ThingMode' WHERE pos = 2",
        "UPDATE events SET schema = 2 WHERE pos = 2",
        "UPDATE events SET event_id = zeroblob(16) WHERE pos = 2",
        "UPDATE events SET seal = seal + 1 WHERE pos = 2",
        "UPDATE streams SET name = 'b'",
        "DELETE FROM streams",
    ],
)
def test_an_altered_row_is_named_and_not_shown(
    path: Path, journal: SqliteJournal, change: str
) -> None:
    journal.append("a", [raw(size=9) for _ in range(3)], expected=NO_STREAM)
    tamper(path, change)
    with pytest.raises(CorruptRecord, match=r"position [12] "):
        journal.read_all(0, PAGE)


def test_a_row_of_no_stream_is_refused_even_with_a_forged_checksum(
    path: Path, journal: SqliteJournal
) -> None:
    event = raw()
    journal.append("a", [event], expected=NO_STREAM)
    seal = checksum(event, "None", 0, 1)  # as if that were the stream's name
    forged = f"UPDATE events SET seal = {seal}"  # noqa: S608  # a number of ours
    tamper(path, forged, "DELETE FROM streams")
    with pytest.raises(CorruptRecord, match="positions 1 to 1"):
        journal.read_all(0, PAGE)


def test_a_deleted_row_is_missed(path: Path, journal: SqliteJournal) -> None:
    journal.append("a", [raw() for _ in range(3)], expected=NO_STREAM)
    tamper(path, "DELETE FROM events WHERE pos = 2")
    with pytest.raises(CorruptRecord, match="position 2 is missing"):
        journal.read_all(0, PAGE)
    with pytest.raises(CorruptRecord, match="version 1 of a is missing"):
        list(journal.read("a"))


def test_a_file_that_is_no_store_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, just some text " * 200)
    with pytest.raises(CorruptRecord):
        SqliteJournal(path)


def test_a_newer_format_is_refused(path: Path) -> None:
    SqliteJournal(path).close()
    tamper(path, "PRAGMA user_version = 99")
    with pytest.raises(StoreUnavailable, match="format 99"):
        SqliteJournal(path)


def test_a_folder_that_cannot_be_made_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable):
        SqliteJournal(tmp_path / "file" / "store.db")


def test_a_closed_journal_takes_and_gives_nothing(path: Path) -> None:
    journal = SqliteJournal(path)
    journal.close()
    with pytest.raises(StoreUnavailable):
        journal.append("a", [raw()], expected=NO_STREAM)
    with pytest.raises(StoreUnavailable):
        journal.read_all(0, PAGE)
    journal.close()  # again, harmless


def test_closing_finishes_what_was_accepted(path: Path) -> None:
    journal = SqliteJournal(path)
    acknowledged: list[str] = []

    def write(writer: int) -> None:
        version = NO_STREAM
        while True:
            try:
                event = raw()
                version = journal.append(
                    f"s{writer}", [event], expected=version
                ).version
                acknowledged.append(event.event_id.hex)
            except StoreUnavailable:
                return

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(acknowledged) > len(threads), "the first answers")
    journal.close()
    for thread in threads:
        thread.join(LONG)
    with closing(SqliteJournal(path)) as again:
        stored = [record.event_id.hex for record in again.read_all(0, 100_000)]
    assert sorted(stored) == sorted(acknowledged)


def test_two_openers_of_one_file_share_it(path: Path, journal: SqliteJournal) -> None:
    with closing(SqliteJournal(path)) as other:
        journal.append("a", [raw()], expected=NO_STREAM)
        with pytest.raises(WrongVersion):
            other.append("a", [raw()], expected=NO_STREAM)
        other.append("a", [raw()], expected=0)
        assert [r.version for r in journal.read("a")] == [0, 1]
        began = time.monotonic()
        late = threading.Timer(0.1, journal.append, ("a", [raw()]), {"expected": 1})
        late.start()
        assert other.wait(2, LONG)  # by the safety poll: hints stay in one process
        assert time.monotonic() - began < AT_ONCE
        late.join()


def test_closing_returns_only_when_all_that_was_accepted_is_written() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def write(batch: Sequence[Ask]) -> None:
        entered.set()
        go_on.wait(LONG)
        for ask in batch:
            ask.verdict = Appended(version=0, position=1)

    folding = Folding(write)
    with ThreadPoolExecutor(3) as pool:
        asks = [Ask(name, [raw()], NO_STREAM) for name in ("first", "queued", "late")]
        writes = [pool.submit(folding.submit, asks[0])]
        assert entered.wait(LONG)
        writes.append(pool.submit(folding.submit, asks[1]))
        until(lambda: folding._queue, "the second in the queue")
        ending = pool.submit(folding.close)
        until(lambda: folding._closed, "the end of what is accepted")
        with pytest.raises(StoreUnavailable, match="closed"):
            folding.submit(asks[2])
        assert not wait([ending], 0.1).done
        go_on.set()
        ending.result(LONG)
        assert [ask.verdict for ask in asks[:2]] == [write.result() for write in writes]


def test_an_interrupted_leader_hands_on_and_reports() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def write(batch: Sequence[Ask]) -> None:
        if batch[0].stream == "stuck":
            entered.set()
            go_on.wait(LONG)
            raise KeyboardInterrupt
        for ask in batch:
            ask.verdict = Appended(version=0, position=1)

    folding = Folding(write)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(folding.submit, Ask("stuck", [raw()], NO_STREAM))
        assert entered.wait(LONG)
        second = pool.submit(folding.submit, Ask("free", [raw()], NO_STREAM))
        until(lambda: folding._queue, "the second in the queue")
        go_on.set()
        assert isinstance(first.exception(LONG), KeyboardInterrupt)
        assert second.result(LONG) == Appended(version=0, position=1)
    folding.close()


@pytest.mark.integration
def test_a_killed_process_loses_no_acknowledged_append(path: Path) -> None:
    acknowledged: list[str] = []
    for turn in range(6):
        with child("append", path, f"s{turn}") as victim:
            assert victim.stdout
            acknowledged += [victim.stdout.readline().strip() for _ in range(5)]
            time.sleep(0.02 * turn)
            victim.send_signal(signal.SIGKILL)
            acknowledged += victim.stdout.read().split("\n")[:-1]
    with closing(SqliteJournal(path)) as journal:
        stored = {record.event_id.hex for record in journal.read_all(0, 1_000_000)}
    assert len(acknowledged) >= 30
    assert set(acknowledged) <= stored
    assert len(stored) <= len(acknowledged) + 6  # at most one unanswered each


@pytest.mark.integration
def test_of_racing_processes_exactly_one_wins_each_version(path: Path) -> None:
    racers = [child("race", path, "60") for _ in range(3)]
    wins = [
        int(w) for racer in racers for w in racer.communicate(timeout=LONG)[0].split()
    ]
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    with closing(SqliteJournal(path)) as journal:
        versions = [record.version for record in journal.read("a")]
    assert sorted(wins) == versions == list(range(len(versions)))


@pytest.mark.integration
def test_a_full_disk_refuses_and_recovers(path: Path) -> None:
    output, _ = child("starve", path).communicate(timeout=LONG)

    kept, refused, consistent, recovered = output.split()
    assert int(kept) > 10
    assert int(refused) > 10
    assert (consistent, recovered) == ("True", "True")
