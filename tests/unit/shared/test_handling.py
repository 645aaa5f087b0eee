"""Load, decide, append: once for each command, whatever races with it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.context import CallContext, Done
from shared.errors import DomainError, Malformed
from shared.events import Event, NewEvent, drafted
from shared.eventstore.port import NO_STREAM, Appended, EventStore, WrongVersion
from shared.handling import Aggregates
from tests.builders import NOON, a_clock, a_context, a_store
from tests.facts import ThingMade, ThingMoved, ThingNamed
from tests.sealers import PlainSealer

STREAM = "thing.thing-t1"


class TooMany(DomainError):
    """There are enough things."""

    code = "test_too_many"


@dataclass(frozen=True)
class Count:
    things: int = 0


def evolve(state: Count, event: Event) -> Count:
    match event:
        case ThingMade():
            return replace(state, things=state.things + 1)
        case _:
            return state


def make_one(state: Count, at: datetime) -> list[Event]:
    del at
    if state.things >= 50:
        raise TooMany
    return [ThingMade(thing_id="t1", size=state.things)]


def aggregates(store: EventStore | None = None) -> Aggregates[Count]:
    return Aggregates(store or a_store(), a_clock(), Count(), evolve)


def test_a_command_appends_what_it_decides() -> None:
    things = aggregates()
    done = things.run(STREAM, a_context(), make_one, ref="t1")
    assert (done.position, done.ref) == (1, "t1")
    loaded = things.load(STREAM)
    assert (loaded.state, loaded.version, loaded.at) == (Count(things=1), 0, NOON)


def test_a_double_press_returns_the_first_result() -> None:
    things, context = aggregates(), a_context()
    first = things.run(STREAM, context, make_one)
    things.run(STREAM, a_context(), make_one)
    assert things.run(STREAM, context, make_one) == first
    assert things.load(STREAM).state == Count(things=2)


def test_a_double_press_is_known_after_a_restart() -> None:
    store, context = a_store(), a_context()
    first = aggregates(store).run(STREAM, context, make_one)
    assert aggregates(store).run(STREAM, context, make_one) == first
    assert len(list(store.read(STREAM))) == 1


def test_simultaneous_presses_act_once() -> None:
    store, context = a_store(), a_context()
    with ThreadPoolExecutor(8) as pool:
        runs = [
            pool.submit(aggregates(store).run, STREAM, context, make_one)
            for _ in range(8)
        ]
    assert {run.result().position for run in runs} == {1}


def test_a_lost_race_is_decided_anew() -> None:
    store = a_store()
    mine, others = aggregates(store), aggregates(store)
    turns = iter(range(3))

    def decide(state: Count, at: datetime) -> list[Event]:
        if next(turns) < 2:
            others.run(STREAM, a_context(), make_one)
        return make_one(state, at)

    mine.run(STREAM, a_context(), decide)
    assert [
        r.event.size for r in store.read(STREAM) if isinstance(r.event, ThingMade)
    ] == [0, 1, 2]


def test_many_writers_of_one_stream_all_get_through() -> None:
    store = a_store()
    things = aggregates(store)
    with ThreadPoolExecutor(6) as pool:
        runs = [
            pool.submit(things.run, STREAM, a_context(), make_one) for _ in range(12)
        ]
    positions = {run.result().position for run in runs}
    assert positions == set(range(1, 13))
    assert things.load(STREAM).state == Count(things=12)


class Contended:
    """A store whose every append comes too late."""

    def __init__(self, inner: EventStore) -> None:
        self.read, self.read_all, self.wait = inner.read, inner.read_all, inner.wait
        self.tries = 0

    def append(
        self, stream: str, events: Sequence[NewEvent], *, expected: int
    ) -> Appended:
        del stream, events, expected
        self.tries += 1
        raise WrongVersion


def test_lasting_contention_gives_up() -> None:
    store = Contended(a_store())
    with pytest.raises(WrongVersion):
        aggregates(store).run(STREAM, a_context(), make_one)
    assert store.tries == 12


def test_a_refusal_passes_through_and_writes_nothing() -> None:
    things = aggregates()

    def refuse(state: Count, at: datetime) -> list[Event]:
        return make_one(replace(state, things=50), at)

    with pytest.raises(TooMany):
        things.run(STREAM, a_context(), refuse)
    assert things.load(STREAM).state == Count()


def test_a_decision_without_facts_answers_where_the_stream_stands() -> None:
    things = aggregates()
    assert things.run(STREAM, a_context(), lambda _state, _at: []).position == 0
    things.run(STREAM, a_context(), make_one)
    assert things.run(STREAM, a_context(), lambda _state, _at: []).position == 1


def test_times_in_a_stream_never_go_back() -> None:
    store, clock = a_store(), a_clock()
    things = Aggregates(store, clock, Count(), evolve)
    told = []

    def move(state: Count, at: datetime) -> list[Event]:
        del state
        told.append(at)
        return [ThingMoved(thing_id="t1", place="p", reason="r", moved_at=at)]

    for step in (timedelta(0), timedelta(hours=-1), timedelta(hours=2)):
        clock.move(step)
        things.run(STREAM, a_context(), move)
    assert told == [NOON, NOON, NOON + timedelta(hours=1)]
    assert [r.recorded_at for r in store.read(STREAM)] == told


def test_who_and_why_stand_in_the_metadata() -> None:
    store = a_store()
    context: CallContext = a_context(role="compliance")
    aggregates(store).run(STREAM, context, make_one)
    (record,) = store.read(STREAM)
    assert record.meta.role == "compliance"
    assert record.meta.command_id == context.command_id


def test_forgotten_streams_are_read_again() -> None:
    things = aggregates()
    for number in range(600):
        things.load(f"thing.thing-{number}")
    assert len(things._kept) == 512


def test_nobody_gets_the_result_of_somebody_else_s_command() -> None:
    store, anna = a_store(), a_context()
    aggregates(store).run(STREAM, anna, make_one)
    mallory = replace(anna, actor_id="f" * 32)
    for things in (aggregates(store), aggregates(store)):
        with pytest.raises(Malformed):
            things.run(STREAM, mallory, make_one)
    assert len(list(store.read(STREAM))) == 1


def test_a_command_that_began_one_thing_does_not_begin_another() -> None:
    store, context = a_store(), a_context()

    def begin(size: int) -> Done:
        made = [ThingMade(thing_id="t1", size=size)]
        return aggregates(store).run(
            STREAM, context, lambda *_: made, begins=lambda _: made
        )

    first = begin(1)
    aggregates(store).run(STREAM, a_context(), make_one)
    assert begin(1) == first
    with pytest.raises(Malformed):
        begin(2)


Told = tuple[Event, ...]
things = st.builds(ThingMade, thing_id=st.text(max_size=3), size=st.integers(0, 9))
names = st.builds(
    ThingNamed, thing_id=st.just("t1"), contact_id=st.just("c" * 32), name=st.text()
)
moves = st.builds(
    ThingMoved,
    thing_id=st.just("t1"),
    place=st.text(max_size=3),
    reason=st.just("r"),
    moved_at=st.just(NOON),
)


def remember(state: Told, event: Event) -> Told:
    return (*state, event)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),  # which of two processes
            st.sampled_from(["thing.thing-1", "thing.thing-2"]),
            st.lists(things | names | moves, max_size=3),
            st.integers(0, 5),  # few commands, so that some are repeated
            st.integers(-1, 2),  # hours that its clock moves
        ),
        max_size=20,
    )
)
def test_what_is_kept_is_what_loading_afresh_gives(
    history: list[tuple[int, str, list[Event], int, int]],
) -> None:
    store, clock = a_store(sealer=PlainSealer()), a_clock()
    commands = [a_context() for _ in range(6)]
    both = [Aggregates[Told](store, clock, (), remember) for _ in range(2)]
    for who, stream, facts, command, hours in history:
        clock.move(timedelta(hours=hours))
        both[who].run(stream, commands[command], lambda *_, told=facts: told)
    for stream in {turn[1] for turn in history}:
        fresh = Aggregates[Told](store, clock, (), remember).load(stream)
        for each in both:
            assert each.load(stream) == fresh


def test_facts_that_somebody_else_wrote_under_the_same_ids_are_read() -> None:
    store, context = a_store(), a_context()
    things = Aggregates[Told](store, a_clock(), (), remember)
    theirs, mine = ThingMade(thing_id="theirs"), ThingMade(thing_id="mine")

    def decide(state: Told, at: datetime) -> list[Event]:
        assert state == ()
        same = drafted([theirs], context, at=at, stream=STREAM)
        store.append(STREAM, same, expected=NO_STREAM)
        return [mine]

    assert things.run(STREAM, context, decide).position == 1
    assert things.load(STREAM).state == (theirs,)
