"""Reactions see each fact at least once, in order, and are not lost to faults."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from shared.errors import Fault, NotAllowed
from shared.events import Recorded
from shared.eventstore.port import NO_STREAM, WrongVersion
from shared.follow import FollowerThread
from shared.react import Reactor
from shared.readmodel import ReadModel, open_readmodel
from tests.builders import NOON, a_store, new
from tests.facts import ThingMade, ThingMoved
from tests.waiting import LONG

MOVED = ThingMoved(thing_id="t1", place="p", reason="r", moved_at=NOON)


class Welcome:
    """Remembers what it was shown; raises what it is told to, in turn."""

    name = "welcome"
    concerns = (ThingMade,)

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.shown: list[int] = []

    def react(self, record: Recorded) -> None:
        self.shown.append(record.position)
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def readmodel(tmp_path: Path) -> Iterator[ReadModel]:
    opened = ReadModel(open_readmodel(tmp_path / "thing.db"))
    yield opened
    opened.close()


def test_a_reaction_is_shown_what_concerns_it_once(readmodel: ReadModel) -> None:
    store, welcome = a_store(), Welcome()
    store.append("a", [new(), new(MOVED), new(), new(MOVED)], expected=NO_STREAM)
    reactor = Reactor(store, readmodel, [welcome])
    assert [reactor.run_once(), reactor.run_once()] == [4, 0]
    Reactor(store, readmodel, [welcome]).run_once()
    assert welcome.shown == [1, 3]
    assert readmodel.position("welcome") == 4


def test_a_fault_is_tried_again_at_once(readmodel: ReadModel) -> None:
    store, welcome = a_store(), Welcome(Fault("away"), WrongVersion())
    store.append("a", [new(), new()], expected=NO_STREAM)
    reactor = Reactor(store, readmodel, [welcome])
    reactor.run_once()
    assert welcome.shown == [1, 1, 1, 2]
    assert reactor.failure is None


def test_a_lasting_fault_is_reported_and_tried_again_later(
    readmodel: ReadModel,
) -> None:
    store, welcome = a_store(), Welcome(*[Fault("away") for _ in range(5)])
    store.append("a", [new()], expected=NO_STREAM)
    reactor = Reactor(store, readmodel, [welcome])
    reactor.run_once()
    assert reactor.failure
    assert (reactor.failure.name, reactor.failure.position) == ("welcome", 1)
    assert not reactor.failure.lasting
    assert len(welcome.shown) == 5
    assert reactor.run_once() == 0  # it rests
    reactor._cursors[0].rests_until = 0
    reactor.run_once()
    assert reactor.failure is None
    assert readmodel.position("welcome") == 1


def test_another_error_stops_that_reaction_and_only_that(readmodel: ReadModel) -> None:
    class Farewell(Welcome):
        name = "farewell"

    store, welcome, farewell = a_store(), Welcome(NotAllowed()), Farewell()
    store.append("a", [new(), new()], expected=NO_STREAM)
    reactor = Reactor(store, readmodel, [welcome, farewell])
    for _ in range(3):
        reactor.run_once()
    assert [(f.name, f.position, f.lasting) for f in reactor.failures] == [
        ("welcome", 1, True)
    ]
    assert welcome.shown == [1]
    assert farewell.shown == [1, 2]
    assert readmodel.position("welcome") == 0


def test_a_crash_after_the_act_shows_the_fact_again(readmodel: ReadModel) -> None:
    class Crash(BaseException):
        """The process dies."""

    class Dying(Welcome):
        @override
        def react(self, record: Recorded) -> None:
            super().react(record)
            if record.position == 2:
                raise Crash

    store, dying, welcome = a_store(), Dying(), Welcome()
    store.append("a", [new(), new(), new()], expected=NO_STREAM)
    with pytest.raises(Crash):
        Reactor(store, readmodel, [dying]).run_once()
    Reactor(store, readmodel, [welcome]).run_once()
    assert dying.shown == [1, 2]
    assert welcome.shown == [2, 3]


def test_a_reactor_runs_in_a_thread(readmodel: ReadModel) -> None:
    store, shown = a_store(), threading.Event()

    class Signal(Welcome):
        @override
        def react(self, record: Recorded) -> None:
            super().react(record)
            shown.set()

    thread = FollowerThread(Reactor(store, readmodel, [Signal()]))
    thread.start()
    store.append("a", [new()], expected=NO_STREAM)
    assert shown.wait(LONG)
    thread.stop()
