"""A nameko process whose way to the store is cut again and again (issue: the soak).

Real broker, real process on green threads, TLS and credentials; in full, cut every 5 s
for a minute.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from services.children import Supervisor
from services.compose import opened
from services.crm.api import CrmApi
from services.crm.commands import CreateContact, SearchContacts, SetStop
from services.dead_letters import listed
from services.supervisor import await_ready
from services.talking import talking
from shared.context import CallContext, Done
from shared.errors import Fault
from shared.events import event_id_of
from shared.ids import derived_hex, mint
from shared.messaging.client import Patience
from shared.settings import Settings
from tests.integration.city import until
from tests.journeys.judge import all_facts, judge
from tests.kurrent.cutter import Cutter
from tests.kurrent.guarded import a_guarded_store, way_to
from tests.kurrent.server import StandIn
from tests.messaging.broker import fresh_settings, private_broker
from tests.waiting import AT_ONCE, LONG

pytestmark = pytest.mark.integration
FULL: Final = os.environ.get("LETTERLOCK_SOAK") == "full"
CUTS, EVERY = (12, 5.0) if FULL else (3, 2.5)  # s between cuts
SILENCE: Final = 2.0  # s that everything is swallowed before each third cut
HURRY: Final = 1.0  # s until an impatient person presses again, or gives up
WRITERS: Final = 4
CROWD: Final = 24  # questions at once, more than the process has hands
FAMILY: Final = "Testperson"


@dataclass(slots=True)
class Act:
    """One command: what it asks, and the fact by which it is known in the store."""

    ask: Callable[[CrmApi], Done]
    stream: str
    event_id: UUID
    answer: Done | None = None


@dataclass(slots=True)
class Apart:
    """One rpc process, one follower, and the wire between them and the store."""

    settings: Settings
    supervisor: Supervisor
    store: StandIn
    wire: Cutter

    @property
    def pids(self) -> dict[str, int]:
        """Return which processes run."""
        children = self.supervisor.children
        assert all(child.process.poll() is None for child in children.values())
        return {name: child.process.pid for name, child in children.items()}

    def stored(self) -> Counter[tuple[str, UUID]]:
        """Return how often each fact of ours stands in the store."""
        return Counter(
            (entry.stream, UUID(entry.id))
            for entry in self.store.log.later(-1)
            if not entry.stream.startswith("$")
        )


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    with ExitStack() as stack:
        store, root = a_guarded_store()
        stack.callback(store.stop)
        wire = stack.enter_context(closing(Cutter(store.port)))
        settings = fresh_settings(tmp_path, **way_to(wire.port, root, tmp_path))
        stack.enter_context(private_broker(settings))
        supervisor = Supervisor(settings)
        stack.callback(supervisor.stop)
        supervisor.start(("rpc", "crm"))
        supervisor.start(("follow", "crm"))
        await_ready(settings, supervisor)
        yield Apart(settings, supervisor, store, wire)


@dataclass(slots=True)
class Writer:
    """A person who enters people and their choices; presses again, or gives up."""

    number: int
    crm: CrmApi
    done: list[Act] = field(default_factory=list)
    unknown: list[Act] = field(default_factory=list)
    slowest: float = 0.0
    _entered: int = 0

    def go(self, stop: threading.Event) -> None:
        """Work until told to stop."""
        while not stop.is_set():
            contact = self._enter()
            for stopped in (True, False, True):
                if contact and not self._try(self._choice(contact, stopped=stopped)):
                    break

    def _enter(self) -> str:
        self._entered += 1
        context = self._context()
        person = CreateContact(
            family=FAMILY,
            email=f"{self._entered}.{self.number}@people.example",
        )
        contact = derived_hex(context.command_id, "contact")
        act = _act(partial(_create, person, context), contact, context)
        return contact if self._try(act) else ""

    def _choice(self, contact: str, *, stopped: bool) -> Act:
        context = self._context()
        wish = SetStop(
            contact_id=contact,
            stop="marketing",
            stopped=stopped,
            door="portal",
            wording="v1",
        )
        return _act(partial(_set_stop, wish, context), contact, context)

    def _try(self, act: Act) -> bool:
        """Ask twice at most; what has no answer then is put aside as unknown."""
        began = time.monotonic()
        for _ in range(2):
            try:
                act.answer = act.ask(self.crm)
            except Fault:
                continue
            self.done.append(act)
            self.slowest = max(self.slowest, time.monotonic() - began)
            return True
        self.unknown.append(act)
        return False

    def _context(self) -> CallContext:
        command = mint()
        return CallContext(
            command_id=command,
            correlation_id=command,
            actor_id=f"{self.number:032x}",
            actor_kind="staff",
            role="sender",
        )


def _create(person: CreateContact, context: CallContext, crm: CrmApi) -> Done:
    return crm.create(person, context)


def _set_stop(wish: SetStop, context: CallContext, crm: CrmApi) -> Done:
    return crm.set_stop(wish, context)


def _act(ask: Callable[[CrmApi], Done], contact: str, context: CallContext) -> Act:
    stream = f"crm.contact-{contact}"
    return Act(ask, stream, event_id_of(context, stream, 0))


def cut_again_and_again(wire: Cutter, writers: list[Writer]) -> int:
    """Cut every connection at each beat, sometimes after a silence; return how many.

    A beat is put off until something was done since the last one.
    """
    chance = random.Random(1851)  # noqa: S311  # a seeded schedule
    silent = chance.randrange(3)
    for beat in range(CUTS):
        quiet = SILENCE if beat % 3 == silent else 0.0
        done = count_done(writers)
        time.sleep(EVERY - quiet)
        until(partial(has_grown, writers, done), "an answer")
        if quiet:
            wire.swallow.set()
            time.sleep(quiet)
            wire.swallow.clear()
        wire.cut()
    return wire.cuts


def count_done(writers: list[Writer]) -> int:
    return sum(len(writer.done) for writer in writers)


def has_grown(writers: list[Writer], done: int) -> bool:
    return count_done(writers) > done


def test_nothing_is_lost_or_doubled_and_nobody_is_stuck(apart: Apart) -> None:
    began, pids = time.monotonic(), apart.pids
    stop = threading.Event()
    with ExitStack() as stack:
        talk = stack.enter_context(talking(apart.settings, "portal"))
        hasty = replace(talk, patience=Patience(HURRY)).apis("portal").crm
        calm = replace(talk, patience=Patience(AT_ONCE)).apis("portal").crm
        writers = [Writer(number, hasty) for number in range(WRITERS)]
        with ThreadPoolExecutor(WRITERS) as pool:
            working = [pool.submit(writer.go, stop) for writer in writers]
            try:
                cuts = cut_again_and_again(apart.wire, writers)
            finally:
                stop.set()
            for work in working:
                work.result(2 * LONG)
        done = [act for writer in writers for act in writer.done]
        unknown = [act for writer in writers for act in writer.unknown]
        check_the_unknown(apart, unknown, calm)
        check_nobody_is_stuck(calm)
        stored = apart.stored()
        assert {stored[act.stream, act.event_id] for act in done} == {1}
        assert set(stored.values()) == {1}
        for act in done[:: max(1, len(done) // 50)]:  # the first answer, for ever
            assert act.ask(calm) == act.answer
        assert apart.stored() == stored
    assert cuts >= CUTS
    assert len(done) >= CUTS
    assert apart.pids == pids, "the same processes, never started again"
    facts = check_what_is_shown(apart)
    causes = {letter["cause"] for letter in listed(apart.settings)}
    assert causes <= {"late"}, "of who asked in a hurry of a process that was busy"
    log = apart.settings.folder.run / "rpc-crm.log"
    assert "Traceback" not in log.read_text()
    print(  # noqa: T201
        f"{CUTS} cuts of {cuts} connections in {time.monotonic() - began:.0f} s: "
        f"{len(done)} commands acknowledged, {len(unknown)} unknown, {facts} facts; "
        f"the slowest answer took {max(w.slowest for w in writers):.1f} s"
    )


def check_the_unknown(apart: Apart, unknown: list[Act], crm: CrmApi) -> None:
    """Commands without an answer: done once or not at all, and once when repeated."""
    before = apart.stored()
    assert {before[act.stream, act.event_id] for act in unknown} <= {0, 1}
    for act in unknown:
        act.ask(crm)
    after = apart.stored()
    assert {after[act.stream, act.event_id] for act in unknown} <= {1}


def check_nobody_is_stuck(crm: CrmApi) -> None:
    """More questions at once than there are hands are all answered in time."""
    writer = Writer(99, crm)
    with ThreadPoolExecutor(CROWD) as pool:
        asked = [pool.submit(writer._enter) for _ in range(CROWD)]
        assert all(one.result(2 * LONG) for one in asked)
    assert writer.unknown == []


def check_what_is_shown(apart: Apart) -> int:
    """Whoever follows has come to the head; return how many facts there are."""
    with opened(apart.settings) as core:
        facts = all_facts(core.store)
        assert judge(facts, gapless=False) == []
        part = next(part for part in core.followed if part.service == "crm")
        names = [projection.name for projection in part.projections]
        head = facts[-1].position
        shown = partial(part.readmodel.await_position, head, *names, timeout=0.1)
        until(shown, "what crm shows")
        found = core.apis("portal").crm.search(SearchContacts(query=FAMILY), _officer())
        assert found.fresh
        assert found.rows
    return len(facts)


def _officer() -> CallContext:
    return Writer(0, None)._context()  # type: ignore[arg-type]  # asks nothing
