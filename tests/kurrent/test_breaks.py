"""Broken wires, lost answers, slow and vanished servers: nothing lost or doubled."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from shared.eventstore.kurrent import Cluster, KurrentJournal
from shared.eventstore.port import (
    NO_STREAM,
    PAGE,
    Appended,
    StoreUnavailable,
    WrongVersion,
)
from tests.builders import raw
from tests.kurrent.authority import Authority
from tests.kurrent.conftest import Opener, have_patience
from tests.kurrent.cutter import Cutter
from tests.kurrent.server import Cluster as Nodes
from tests.kurrent.server import StandIn
from tests.ports import a_quiet_port
from tests.waiting import AT_ONCE, LONG, until

pytestmark = pytest.mark.integration
FULL = os.environ.get("LETTERLOCK_SOAK") == "full"


def gives_up(action: Callable[[], object]) -> None:
    """Check that `action` finds the store unavailable, and not only after long."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="no answer"):
        action()
    assert time.monotonic() - began < AT_ONCE


@pytest.mark.parametrize("lost", [1, 3])
def test_a_lost_answer_is_asked_for_again_and_nothing_is_doubled(
    server: StandIn, journal: KurrentJournal, lost: int
) -> None:
    batch = [raw(), raw()]
    server.faults.lost_answers = lost
    appended = journal.append("a", batch, expected=NO_STREAM)
    assert appended == Appended(version=1, position=server.log.end())
    assert [r.event_id for r in journal.read("a")] == [e.event_id for e in batch]


def test_an_append_refused_on_the_way_is_sent_again(
    server: StandIn, journal: KurrentJournal
) -> None:
    server.faults.refused_appends = 2
    assert journal.append("a", [raw()], expected=NO_STREAM).version == 0
    assert len(list(journal.read("a"))) == 1


def test_a_lost_answer_overtaken_by_another_writer_is_still_the_first_answer(
    server: StandIn, open_journal: Opener
) -> None:
    slow, other = open_journal(server.port), open_journal(server.port)
    event = raw()
    have_patience(slow, 0.3)
    server.faults.lost_answers = 1000
    while not server.log.stream("a"):
        gives_up(lambda: slow.append("a", [event], expected=NO_STREAM))
    server.faults.lost_answers = 0
    have_patience(slow, LONG)
    other.append("a", [raw()], expected=0)
    assert slow.append("a", [event], expected=NO_STREAM).version == 0
    with pytest.raises(WrongVersion):
        slow.append("a", [raw()], expected=NO_STREAM)
    assert len(list(other.read("a"))) == 2


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_read_broken_off_is_taken_up_where_it_stood(
    server: StandIn, journal: KurrentJournal, after: int
) -> None:
    events = [raw() for _ in range(20)]
    journal.append("a", events, expected=NO_STREAM)
    expected = [event.event_id for event in events]
    server.faults.break_after = after
    for read in (lambda: journal.read("a"), lambda: journal.read_all(0, PAGE)):
        server.faults.broken_reads = 3
        assert [record.event_id for record in read()] == expected
        assert server.faults.broken_reads == 0


def test_a_slow_server_is_given_up_in_bounded_time_and_taken_back(
    server: StandIn, open_journal: Opener
) -> None:
    journal = open_journal(server.port)
    journal.append("a", [raw()], expected=NO_STREAM)
    server.faults.delay = LONG
    have_patience(journal, 0.6)
    gives_up(lambda: journal.append("b", [raw()], expected=NO_STREAM))
    gives_up(lambda: list(journal.read("a")))
    gives_up(lambda: journal.read_all(0, PAGE))
    gives_up(lambda: journal.wait(10**9, LONG))
    server.faults.delay = 0
    have_patience(journal, LONG)
    assert journal.append("a", [raw()], expected=0).version == 1


def test_a_connection_that_swallows_everything_is_given_up_in_bounded_time(
    wire: Cutter, open_journal: Opener
) -> None:
    journal = open_journal(wire.port)
    journal.append("a", [raw()], expected=NO_STREAM)
    wire.swallow.set()
    have_patience(journal, 0.6)
    gives_up(lambda: journal.append("a", [raw()], expected=0))
    gives_up(lambda: journal.read_all(0, PAGE))
    wire.cut(mend=True)
    have_patience(journal, LONG)
    assert len(list(journal.read("a"))) == 1


def test_a_server_that_is_away_is_found_again_when_it_is_back(
    stack: ExitStack, open_journal: Opener
) -> None:
    nodes = Nodes()
    server = StandIn(nodes, port=a_quiet_port())
    journal = open_journal(server.port)
    journal.append("a", [raw()], expected=NO_STREAM)
    assert not journal.wait(10**9, 0.1)
    server.stop()
    have_patience(journal, 0.6)
    gives_up(lambda: journal.append("a", [raw()], expected=0))
    nodes.nodes.clear()
    again = StandIn(nodes, port=server.port)
    stack.callback(again.stop)
    have_patience(journal, LONG)
    assert journal.append("a", [raw()], expected=0).version == 1
    assert [r.version for r in journal.read("a")] == [0, 1]


def test_a_patient_call_outlives_a_restart(
    stack: ExitStack, open_journal: Opener
) -> None:
    nodes = Nodes()
    server = StandIn(nodes, port=a_quiet_port())
    journal = open_journal(server.port)
    journal.append("a", [raw()], expected=NO_STREAM)
    server.stop()

    def restart() -> None:
        nodes.nodes.clear()
        stack.callback(StandIn(nodes, port=server.port).stop)

    timer = threading.Timer(0.5, restart)
    timer.start()
    assert journal.append("a", [raw()], expected=0).version == 1
    timer.join()


@pytest.mark.usefixtures("no_look")
def test_a_waiter_whose_subscription_was_cut_is_woken_by_the_next_one(
    server: StandIn, wire: Cutter, open_journal: Opener
) -> None:
    here, there = open_journal(wire.port), open_journal(server.port)
    assert not here.wait(0, 0)
    position = 0
    for version in range(3):
        wire.cut()
        timer = threading.Timer(
            0.4, there.append, ("a", [raw()]), {"expected": version - 1}
        )
        timer.start()
        began = time.monotonic()
        assert here.wait(position, LONG)
        assert time.monotonic() - began < AT_ONCE
        timer.join()
        page = here.read_all(position, PAGE)
        assert [record.version for record in page] == [version]
        position = page[-1].position


def test_a_subscription_is_taken_up_after_the_last_fact_it_brought(
    server: StandIn, wire: Cutter, open_journal: Opener
) -> None:
    here, there = open_journal(wire.port), open_journal(server.port)
    assert not here.wait(0, 0.1)
    until(lambda: server.subscriptions == [None], "the subscription")
    positions: list[int] = []
    for version in range(2):
        appended = there.append("a", [raw()], expected=version - 1)
        positions.append(appended.position)
        until(lambda: here._watch._came_to == positions[-1], "the fact")
        wire.cut()
        until(lambda: server.subscriptions == [None, *positions], "the next one")


def test_the_leader_is_asked_for_and_followed_when_it_changes(
    stack: ExitStack,
) -> None:
    nodes = Nodes(dead=[1])  # a leader that is gone, as gossip remembers it
    members = [StandIn(nodes) for _ in range(3)]
    for member in members:
        stack.callback(member.stop)
    gone = "localhost:9"  # a node that is listed and does not answer
    hosts = ",".join([gone, *(f"localhost:{m.port}" for m in members[1:])])
    cluster = Cluster.from_uri(f"kurrentdb://{hosts}?tls=false")
    journal = stack.enter_context(closing(KurrentJournal(cluster, patience=LONG)))
    events = [raw() for _ in range(3)]
    for version, event in enumerate(events):
        nodes.leader = version
        appended = journal.append("a", [event], expected=version - 1)
        assert appended.position == nodes.log.end()
    assert [r.event_id for r in journal.read_all(0, PAGE)] == [
        event.event_id for event in events
    ]
    nodes.leader = 1
    members[0].stop()
    assert len(list(journal.read("a"))) == 3


def test_a_cluster_without_a_leader_is_given_up_in_bounded_time(
    stack: ExitStack,
) -> None:
    nodes = Nodes(leader=7)
    members = [StandIn(nodes) for _ in range(2)]
    for member in members:
        stack.callback(member.stop)
    hosts = ",".join(f"localhost:{member.port}" for member in members)
    cluster = Cluster.from_uri(f"kurrentdb://{hosts}?tls=false")
    journal = stack.enter_context(closing(KurrentJournal(cluster, patience=0.6)))
    gives_up(lambda: journal.read_all(0, 1))
    nodes.leader = 0
    have_patience(journal, LONG)
    assert journal.append("a", [raw()], expected=NO_STREAM).version == 0


def test_a_leader_on_another_machine_is_not_spoken_to_in_plain_text(
    stack: ExitStack,
) -> None:
    nodes = Nodes(host="192.0.2.1")
    server = StandIn(nodes)
    stack.callback(server.stop)
    cluster = Cluster.from_uri(f"esdb+discover://localhost:{server.port}?tls=false")
    journal = stack.enter_context(closing(KurrentJournal(cluster, patience=LONG)))
    with pytest.raises(StoreUnavailable, match="without TLS"):
        journal.read_all(0, 1)


def cut_again_and_again(
    wire: Cutter, told: list[tuple[int, str]], cuts: int, every: float
) -> None:
    """Cut every so many seconds, but only once more was `told` since the last cut."""
    for _ in range(cuts):
        before = len(told)
        time.sleep(every)
        until(partial(has_grown, told, before), "an answer")
        wire.cut()


def has_grown(told: list[tuple[int, str]], before: int) -> bool:
    return len(told) > before


def test_nothing_is_lost_or_doubled_while_the_wire_is_cut_again_and_again(
    stack: ExitStack, tmp_path: Path
) -> None:
    """Writers and a follower over TLS; in full, cut every 5 s for a minute.

    Or less often, so that something gets through between two cuts.
    """
    cuts, every = (12, 5.0) if FULL else (10, 0.4)
    authority = Authority()
    server = StandIn(certificate=authority.certificate(), login="u:p")
    stack.callback(server.stop)
    wire = stack.enter_context(closing(Cutter(server.port)))
    ca, secret = tmp_path / "ca.pem", tmp_path / "credentials"
    ca.write_bytes(authority.root)
    secret.write_text("u:p")
    cluster = Cluster.from_uri(
        f"kurrentdb://localhost:{wire.port}", ca=ca, credentials=secret
    )
    journal = stack.enter_context(closing(KurrentJournal(cluster, patience=LONG)))
    enough, done = threading.Event(), threading.Event()
    acknowledged: list[tuple[int, str]] = []

    def write(writer: int) -> None:
        version = NO_STREAM
        while not enough.is_set():
            batch = [raw() for _ in range(1 + writer % 3)]
            appended = journal.append(f"s{writer}", batch, expected=version)
            version = appended.version
            acknowledged.append((appended.position, batch[-1].event_id.hex))
            time.sleep(0.01)

    def follow() -> list[tuple[int, str]]:
        seen: list[tuple[int, str]] = []
        while True:
            last = seen[-1][0] if seen else 0
            page = journal.read_all(last, 50)
            seen.extend((record.position, record.event_id.hex) for record in page)
            if not page and done.is_set():
                return seen
            if not page:
                journal.wait(last, 0.5)

    with ThreadPoolExecutor(6) as pool:
        follower = pool.submit(follow)
        writers = [pool.submit(write, number) for number in range(4)]
        try:
            cut_again_and_again(wire, acknowledged, cuts, every)
        finally:
            enough.set()
            wait(writers)
            done.set()
        for writer in writers:
            writer.result()
        seen = follower.result(LONG)
    stored = [
        (entry.position, entry.id.replace("-", ""))
        for number in range(4)
        for entry in server.log.stream(f"s{number}")
    ]
    assert wire.cuts >= cuts
    assert len(acknowledged) >= cuts
    assert seen == sorted(stored)
    assert set(acknowledged) <= set(seen)
    assert len({event_id for _, event_id in seen}) == len(seen)
