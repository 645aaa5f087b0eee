"""The journal on PostgreSQL keeps every promise of the contract, and its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import psycopg
import pytest

from shared.eventstore.port import (
    NO_STREAM,
    PAGE,
    Appended,
    CorruptRecord,
    StoreUnavailable,
    WrongVersion,
)
from shared.eventstore.postgres import PostgresJournal
from shared.eventstore.postgres.layout import LOCK
from shared.eventstore.postgres.wire import Parcel, one
from shared.ids import mint
from tests.builders import raw
from tests.contract import test_eventstore as contract
from tests.postgres.conftest import (
    Opener,
    journal,
    name,
    no_look,
    open_journal,
    server,
    stack,
)
from tests.postgres.server import ACCOUNT, PASSWORD, Server
from tests.waiting import LONG, until

__all__ = ["journal", "name", "no_look", "open_journal", "server", "stack"]  # fixtures


pytestmark = pytest.mark.integration
DELETE = "DELETE FROM letterlock.events"
ONE = b"SELECT letterlock.append_one($1, $2, $3, $4, $5, $6, $7, $8)"

globals().update(
    {
        title: promise
        for title, promise in vars(contract).items()
        if title.startswith("test_")
    }
)


def as_account(server: Server, name: str) -> psycopg.Connection[Any]:
    """Return a connection with the rights of the program, in transactions."""
    return psycopg.connect(
        host="127.0.0.1", port=server.port, dbname=name, user=ACCOUNT, password=PASSWORD
    )


def halfway(account: psycopg.Connection[Any]) -> int:
    """Append a fact to stream "a", do not commit, and return its position."""
    account.execute("SELECT")  # begins a transaction
    asked = one(Parcel("a", [raw()], NO_STREAM, 0.0))
    told = account.pgconn.exec_params(ONE, asked, param_formats=[1] * 8)
    return int(told.get_value(0, 0) or b"0")


def tamper(server: Server, name: str, change: str, position: int) -> None:
    """Change the store as an intruder with full access would; "" deletes."""
    act = f"UPDATE letterlock.events SET {change}" if change else DELETE  # noqa: S608  # a test's own words
    with server.owner(name) as owner:
        owner.execute("ALTER TABLE letterlock.events DISABLE TRIGGER USER")
        owner.execute(f"{act} WHERE pos = {position}".encode())


@pytest.mark.parametrize("ends_well", [True, False], ids=["committed", "rolled back"])
def test_a_writer_stopped_before_its_commit_is_never_overtaken(
    server: Server, name: str, open_journal: Opener, *, ends_well: bool
) -> None:
    reader, other = open_journal(), open_journal()
    reader.append("z", [raw()], expected=NO_STREAM)
    mine = raw()
    with as_account(server, name) as stopped, ThreadPoolExecutor(1) as pool:
        assert halfway(stopped) == 2  # it has its position, and nobody sees it
        late = pool.submit(other.append, "b", [mine], expected=NO_STREAM)
        until(server.queue, "the late one's turn to wait")
        assert not reader.wait(1, 0.1)
        assert [r.position for r in reader.read_all(0, PAGE)] == [1]
        assert not late.done()
        if ends_well:
            stopped.commit()
        else:
            stopped.rollback()
        place = late.result(LONG).position
    assert place == (3 if ends_well else 2)
    found = reader.read_all(1, PAGE)  # from the checkpoint of before
    assert [r.position for r in found] == list(range(2, place + 1))
    assert found[-1].event_id == mine.event_id


def test_who_waits_too_long_for_another_writer_has_written_nothing(
    server: Server, name: str, open_journal: Opener
) -> None:
    hasty, event = open_journal(patience=0.6), raw()
    with as_account(server, name) as stopped:
        halfway(stopped)
        with pytest.raises(StoreUnavailable, match="no answer"):
            hasty.append("b", [event], expected=NO_STREAM)
    answer = open_journal().append("b", [event], expected=NO_STREAM)
    assert answer == Appended(version=0, position=2)


def test_writers_of_one_version_in_one_batch_are_judged_one_by_one(
    server: Server, name: str, journal: PostgresJournal
) -> None:
    journal.append("z", [raw()], expected=NO_STREAM)
    taken = journal.read_all(0, 1)[0].event_id
    twice = raw()
    asks = [
        ("a", [raw(), raw()], NO_STREAM),
        ("a", [raw()], NO_STREAM),
        ("b", [raw(), raw(taken)], NO_STREAM),
        ("c", [twice], NO_STREAM),
        ("c", [twice], NO_STREAM),
        ("d", [raw() for _ in range(3)], NO_STREAM),
    ]
    with ThreadPoolExecutor(len(asks) + 1) as pool:
        with as_account(server, name) as stopped:
            stopped.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            first = pool.submit(journal.append, "first", [raw()], expected=NO_STREAM)
            until(server.queue, "the first one's turn to wait")
            told = []
            for stream, events, expected in asks:
                told.append(
                    pool.submit(journal.append, stream, events, expected=expected)
                )
                until(lambda: len(journal._folding._queue) == len(told), "the queue")
        wait([first, *told], LONG)
        assert first.result(0).position == 2
        assert told[0].result(0) == Appended(version=1, position=4)
        assert isinstance(told[1].exception(0), WrongVersion)
        assert isinstance(told[2].exception(0), ValueError)
        assert told[3].result(0) == told[4].result(0) == Appended(version=0, position=5)
        assert (told[3].result().fresh, told[4].result().fresh) == (True, False)
        assert told[5].result(0) == Appended(version=2, position=8)
    assert contract.positions(journal) == list(range(1, 9))
    assert list(journal.read("b")) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE letterlock.events SET body = '{}'",
        "DELETE FROM letterlock.events",
        "TRUNCATE letterlock.events",
        "INSERT INTO letterlock.events SELECT * FROM letterlock.events",
        "ALTER TABLE letterlock.events DISABLE TRIGGER ALL",
        "DROP TABLE letterlock.events",
        "UPDATE letterlock.layout SET format = 2",
        "CREATE TABLE letterlock.mine (n integer)",
        "DROP FUNCTION letterlock.append_one",
    ],
)
def test_the_account_may_only_append(
    server: Server, name: str, journal: PostgresJournal, statement: str
) -> None:
    journal.append("a", [raw()], expected=NO_STREAM)
    with (
        as_account(server, name) as account,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        account.execute(statement.encode())
    assert len(list(journal.read("a"))) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE letterlock.events SET body = '{}'",
        "DELETE FROM letterlock.events",
        "TRUNCATE letterlock.events",
        "SET session_replication_role = replica; DELETE FROM letterlock.events",
    ],
)
def test_the_owner_is_refused_as_well(
    server: Server, name: str, journal: PostgresJournal, statement: str
) -> None:
    journal.append("a", [raw()], expected=NO_STREAM)
    with (
        server.owner(name) as owner,
        pytest.raises(psycopg.errors.RaiseException, match="never"),
    ):
        owner.execute(statement.encode())
    assert len(list(journal.read("a"))) == 1


def test_an_older_snapshot_may_not_append(server: Server, name: str) -> None:
    with as_account(server, name) as account:
        account.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(psycopg.errors.RaiseException, match="read committed"):
            account.execute(
                "SELECT letterlock.append_one('a',-1,%s,'T',1,'','',0)", (mint(),)
            )


@pytest.mark.parametrize(
    "change",
    [
        "body = replace(convert_from(body, 'UTF8'), 'x', 'y')::bytea",
        "meta = meta || ' '",
        "type = 'ThingMode'",
        "schema = 2",
        "event_id = gen_random_uuid()",
        "seal = seal + 1",
        "stream = 'b'",
        "version = 9",
        "pos = 9",
    ],
)
def test_an_altered_row_is_named_and_not_shown(
    server: Server, name: str, journal: PostgresJournal, change: str
) -> None:
    journal.append("a", [raw(size=9) for _ in range(3)], expected=NO_STREAM)
    tamper(server, name, change, 2)
    with pytest.raises(CorruptRecord, match=r"position \d "):
        journal.read_all(0, PAGE)


def test_rows_that_changed_places_are_found(
    server: Server, name: str, journal: PostgresJournal
) -> None:
    for stream in "ab":
        journal.append(stream, [raw()], expected=NO_STREAM)
    for was, becomes in ((1, 9), (2, 1), (9, 2)):
        tamper(server, name, f"pos = {becomes}", was)
    with pytest.raises(CorruptRecord, match="position 1 in b was altered"):
        journal.read_all(0, PAGE)


def test_a_deleted_row_is_missed(
    server: Server, name: str, journal: PostgresJournal
) -> None:
    journal.append("a", [raw() for _ in range(3)], expected=NO_STREAM)
    tamper(server, name, "", 2)
    with pytest.raises(CorruptRecord, match="position 2 is missing"):
        journal.read_all(0, PAGE)
    with pytest.raises(CorruptRecord, match="version 1 of a is missing"):
        list(journal.read("a"))


@pytest.mark.parametrize("stream", ["a\0b", "\ud800"])
def test_a_name_the_server_cannot_keep_is_refused_alone(
    journal: PostgresJournal, stream: str
) -> None:
    with pytest.raises(ValueError, match=r"zero|surrogates"):
        journal.append(stream, [raw()], expected=NO_STREAM)
    with pytest.raises(ValueError, match="beyond"):
        journal.append("a", [raw()], expected=2**70)
    assert journal.append("ä\n'\"", [raw()], expected=NO_STREAM).position == 1
    assert len(list(journal.read("ä\n'\""))) == 1


def test_what_the_server_logs_holds_no_byte_of_a_fact(
    server: Server, name: str, open_journal: Opener
) -> None:
    with server.owner(name) as owner:
        owner.execute(
            f"ALTER DATABASE {name} SET log_min_duration_statement = 0".encode()
        )
    journal = open_journal()
    event = raw(size=100)
    journal.append("a-stream-of-mine", [event], expected=NO_STREAM)
    with pytest.raises(ValueError, match="taken"):
        journal.append("b", [event, raw()], expected=NO_STREAM)
    list(journal.read("a-stream-of-mine"))
    assert "letterlock.append_one(" in server.log
    for secret in ("x" * 20, event.event_id.hex, str(event.event_id), "a-stream-of"):
        assert secret not in server.log
