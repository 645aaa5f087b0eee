"""Projections mirror each fact exactly once; they stop, and never skip."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import func, insert, select
from typing_extensions import override

from shared.codec import EventCodec, UnknownFact
from shared.events import Recorded
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.eventstore.port import NO_STREAM, EventStore, StoreUnavailable
from shared.eventstore.sqlite import SqliteJournal
from shared.follow import AlreadyFollowed, Follower, FollowerThread
from shared.readmodel import (
    Connection,
    ReadModel,
    ReadModelBroken,
    ReadModelUnavailable,
    digest_of,
    open_readmodel,
)
from shared.rebuild import RebuildStopped, head_of, rebuild
from tests.builders import a_store, new, raw
from tests.children import child
from tests.facts import ThingMade
from tests.projections import THINGS, Things
from tests.waiting import AT_ONCE, LONG, until


@pytest.fixture
def readmodel(tmp_path: Path) -> Iterator[ReadModel]:
    opened = ReadModel(open_readmodel(tmp_path / "read" / "thing.db"))
    yield opened
    opened.close()


def fill(store: EventStore, count: int, stream: str = "thing.thing-1") -> None:
    """Append `count` facts about seven things."""
    start = len(list(store.read(stream)))
    events = [
        new(ThingMade(thing_id=f"t{number % 7}", size=number))
        for number in range(start, start + count)
    ]
    store.append(stream, events, expected=start - 1)


def seen(readmodel: ReadModel) -> int:
    with readmodel.connect() as connection:
        return int(connection.scalar(select(func.sum(THINGS.c.seen))) or 0)


def digest(readmodel: ReadModel) -> str:
    with readmodel.connect() as connection:
        return digest_of(connection, [THINGS])


def drain(follower: Follower) -> None:
    while follower.run_once():
        pass


def test_every_fact_is_applied_once_in_pages(readmodel: ReadModel) -> None:
    store = a_store()
    fill(store, 2500)
    follower = Follower(store, readmodel, [Things()])
    assert [follower.run_once() for _ in range(4)] == [1000, 1000, 500, 0]
    assert seen(readmodel) == 2500
    assert readmodel.position("things-v1") == 2500
    assert follower.failure is None


def test_a_new_follower_resumes_where_the_last_one_stopped(
    readmodel: ReadModel,
) -> None:
    store = a_store()
    fill(store, 30)
    drain(Follower(store, readmodel, [Things()]))
    fill(store, 12)
    drain(Follower(store, readmodel, [Things()]))
    assert seen(readmodel) == 42


def test_two_followers_without_a_lock_still_apply_once(readmodel: ReadModel) -> None:
    store = a_store()
    one, other = (Follower(store, readmodel, [Things()]) for _ in range(2))
    one.prepare()
    other.prepare()
    for _ in range(5):
        fill(store, 20)
        one.run_once()
        other.run_once()
        other.run_once()
    assert seen(readmodel) == 100
    assert readmodel.position("things-v1") == 100


def test_a_second_follower_is_kept_out_until_the_first_is_gone(
    readmodel: ReadModel, tmp_path: Path
) -> None:
    lock = tmp_path / "run" / "thing.lock"
    first = Follower(a_store(), readmodel, [Things()], lock=lock)
    second = Follower(a_store(), readmodel, [Things()], lock=lock)
    first.prepare()
    with pytest.raises(AlreadyFollowed):
        second.prepare()
    with pytest.raises(AlreadyFollowed):
        rebuild(a_store(), readmodel, Things(), lambda *_: None, lock=lock)
    first.close()
    second.prepare()
    second.close()


def test_a_projection_stops_at_what_it_cannot_apply_and_the_others_go_on(
    readmodel: ReadModel,
) -> None:
    store = a_store()
    fill(store, 5)
    store.append("thing.thing-2", [new(ThingMade(thing_id="bad"))], expected=NO_STREAM)
    fill(store, 5)

    class Names:
        name, tables = "names-v1", ()

        def apply(self, connection: Connection, record: Recorded) -> None:
            """See it and keep nothing."""

    follower = Follower(store, readmodel, [Things(fails_on="bad"), Names()])
    for _ in range(3):
        follower.run_once()
    failure = follower.failure
    assert failure
    assert (failure.name, failure.position) == ("things-v1", 6)
    assert (failure.cause, failure.lasting) == ("Unlucky", True)
    assert readmodel.position("things-v1") == 5
    assert readmodel.position("names-v1") == 11
    assert seen(readmodel) == 5
    drain(Follower(store, readmodel, [Things()]))  # repaired: goes on from there
    assert seen(readmodel) == 11


def test_a_fact_that_cannot_be_read_stops_everything_at_its_place(
    readmodel: ReadModel,
) -> None:
    journal = MemoryJournal()
    store = CodedStore(journal, EventCodec("thing"))
    fill(store, 20)
    unknown = structs.replace(raw(), type_name="ThingFromTheFuture")
    journal.append("thing.thing-2", [unknown], expected=NO_STREAM)
    fill(store, 3)
    follower = Follower(store, readmodel, [Things()])
    drain(follower)
    assert follower.failure
    assert follower.failure.position == 21
    assert follower.failure.lasting
    assert follower.failure.cause.startswith(UnknownFact.__name__)
    assert seen(readmodel) == 20


def test_a_projection_whose_database_is_junk_stands_still(readmodel: ReadModel) -> None:
    class Junk(Things):
        @override
        def apply(self, connection: Connection, record: Recorded) -> None:
            raise ReadModelBroken("read/crm.db cannot be read as a database")

    store = a_store()
    follower = Follower(store, readmodel, [Junk()])
    fill(store, 4)
    drain(follower)
    assert follower.failure
    assert follower.failure.lasting


def test_a_projection_whose_database_fails_goes_on_when_it_is_back(
    readmodel: ReadModel,
) -> None:
    store, broken = a_store(), threading.Event()

    class Brittle(Things):
        @override
        def apply(self, connection: Connection, record: Recorded) -> None:
            if broken.is_set():
                raise ReadModelUnavailable("disk is full")
            super().apply(connection, record)

    follower = Follower(store, readmodel, [Brittle()])
    fill(store, 4)
    broken.set()
    drain(follower)
    assert follower.failure
    assert not follower.failure.lasting
    broken.clear()
    follower._cursors[0].rests_until = 0
    drain(follower)
    assert follower.failure is None
    assert seen(readmodel) == 4


def test_a_projection_may_take_many_facts_at_once(readmodel: ReadModel) -> None:
    taken = []

    class Bulk(Things):
        def apply_many(
            self, connection: Connection, records: Sequence[Recorded]
        ) -> None:
            taken.append(len(records))
            for record in records:
                self.apply(connection, record)

    store = a_store()
    fill(store, 1200)
    drain(Follower(store, readmodel, [Bulk()]))
    assert taken == [1000, 200]
    assert seen(readmodel) == 1200


def test_a_thread_follows_until_it_is_stopped(
    readmodel: ReadModel, tmp_path: Path
) -> None:
    store = a_store()
    thread = FollowerThread(
        Follower(store, readmodel, [Things()], lock=tmp_path / "lock")
    )
    thread.start()
    fill(store, 10)
    assert readmodel.await_position(10, "things-v1", timeout=LONG)
    assert seen(readmodel) == 10
    thread.stop()
    fill(store, 1)
    assert not readmodel.await_position(11, "things-v1", timeout=0.05)
    Follower(store, readmodel, [Things()], lock=tmp_path / "lock").prepare()


def test_a_follower_waits_out_a_store_that_is_away(readmodel: ReadModel) -> None:
    store, away = a_store(), threading.Event()

    class Distant:
        def __init__(self) -> None:
            self.append, self.read, self.wait = store.append, store.read, store.wait

        def read_all(self, after: int = 0, limit: int = 1000) -> Sequence[Recorded]:
            if away.is_set():
                raise StoreUnavailable
            return store.read_all(after, limit)

    away.set()
    follower = Follower(Distant(), readmodel, [Things()])
    thread = FollowerThread(follower)
    thread.start()
    fill(store, 3)
    failure = until(lambda: follower.failure, "the failure")
    assert (failure.name, failure.lasting) == ("store", False)
    assert not readmodel.await_position(3, "things-v1", timeout=0)
    away.clear()
    assert readmodel.await_position(3, "things-v1", timeout=LONG)
    assert thread.running
    thread.stop()
    assert not thread.running
    assert follower.failure is None


def test_your_own_writes_are_awaited_only_if_asked_for(readmodel: ReadModel) -> None:
    readmodel.create([])
    began = time.monotonic()
    assert readmodel.await_position(0, "things-v1", timeout=LONG)
    assert time.monotonic() - began < AT_ONCE
    assert not readmodel.await_position(1, "things-v1", timeout=0.02)


def test_a_rebuilt_projection_equals_the_live_one(readmodel: ReadModel) -> None:
    store = a_store()
    fill(store, 6100)
    drain(Follower(store, readmodel, [Things()]))
    live = digest(readmodel)
    with readmodel.begin() as connection:
        connection.execute(insert(THINGS), {"thing_id": "forged", "size": 1, "seen": 1})
    assert digest(readmodel) != live
    told: list[tuple[int, int]] = []
    rebuild(store, readmodel, Things(), lambda *step: told.append(step))
    assert digest(readmodel) == live
    assert told == [(at, 6100) for at in (*range(1000, 6001, 1000), 6100)]
    fill(store, 3)
    drain(Follower(store, readmodel, [Things()]))
    assert seen(readmodel) == 6103


def test_a_follower_notices_a_rebuild_behind_its_back(readmodel: ReadModel) -> None:
    store = a_store()
    fill(store, 10)
    follower = Follower(store, readmodel, [Things()])
    drain(follower)
    short = a_store()
    fill(short, 4)
    rebuild(short, readmodel, Things(), lambda *_: None)
    fill(store, 5)
    for _ in range(4):
        follower.run_once()
    assert seen(readmodel) == 15


def test_a_rebuild_that_fails_names_projection_and_place(readmodel: ReadModel) -> None:
    store = a_store()
    fill(store, 5)
    with pytest.raises(RebuildStopped, match="things-v1, positions 1 to 5: Unlucky"):
        rebuild(store, readmodel, Things(fails_on="t3"), lambda *_: None)
    assert readmodel.position("things-v1") == 0
    drain(Follower(store, readmodel, [Things()]))
    assert seen(readmodel) == 5


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 100])
def test_the_head_of_the_store_is_found(count: int) -> None:
    store = a_store()
    if count:
        fill(store, count)
    assert head_of(store) == count


def test_the_digest_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    digests = set()
    for name, order in (("a", (1, 2, 3)), ("b", (3, 1, 2))):
        readmodel = ReadModel(open_readmodel(tmp_path / name))
        readmodel.create([THINGS])
        with readmodel.begin() as connection:
            for n in order:
                row = {"thing_id": f"t{n}", "size": n, "seen": 1}
                connection.execute(insert(THINGS), row)
        digests.add(digest(readmodel))
        readmodel.close()
    assert len(digests) == 1


def test_the_file_of_a_read_model_is_private_and_forgets(
    readmodel: ReadModel, tmp_path: Path
) -> None:
    readmodel.create([THINGS])
    path = tmp_path / "read" / "thing.db"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {f.stat().st_mode & 0o777 for f in path.parent.iterdir()} == {0o600}
    with readmodel.connect() as connection:
        asked = {
            pragma: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
            for pragma in ("journal_mode", "secure_delete", "foreign_keys")
        }
    assert asked == {"journal_mode": "wal", "secure_delete": 1, "foreign_keys": 1}


def test_a_writer_that_fails_leaves_nothing_behind(readmodel: ReadModel) -> None:
    readmodel.create([THINGS])

    def half() -> None:
        with readmodel.begin() as connection:
            row = {"thing_id": "t1", "size": 1, "seen": 1}
            connection.execute(insert(THINGS), row)
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert seen(readmodel) == 0


def test_a_read_model_that_cannot_be_opened_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ReadModelUnavailable):
        open_readmodel(tmp_path / "file" / "x.db")
    never_created = ReadModel(open_readmodel(tmp_path / "x.db"))
    with pytest.raises(ReadModelUnavailable):
        never_created.position("things-v1")
    never_created.close()


@pytest.mark.integration
def test_a_follower_killed_in_mid_batch_applies_each_fact_once(tmp_path: Path) -> None:
    with closing(SqliteJournal(tmp_path / "store.db")) as journal:
        store = CodedStore(journal, EventCodec("thing"))
        fill(store, 3500)
        for turn in range(4):
            with child("follow", tmp_path / "store.db", tmp_path / "x.db") as victim:
                assert victim.stdout
                victim.stdout.readline()
                time.sleep(0.05 + 0.1 * turn)
                victim.send_signal(signal.SIGKILL)
        readmodel = ReadModel(open_readmodel(tmp_path / "x.db"))
        follower = Follower(store, readmodel, [Things()])
        follower.prepare()
        assert seen(readmodel) == readmodel.position("things-v1")
        drain(follower)
        assert seen(readmodel) == 3500
        live = digest(readmodel)
        rebuild(store, readmodel, Things(), lambda *_: None)
        assert digest(readmodel) == live
        readmodel.close()
