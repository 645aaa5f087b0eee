"""What the journal on a cluster does beyond the contract, while all is well."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from msgspec import structs
from typing_extensions import override

from shared.eventstore.kurrent import KurrentJournal
from shared.eventstore.kurrent.known import Ids, KnownIds
from shared.eventstore.port import (
    NO_STREAM,
    PAGE,
    CorruptRecord,
    StoreUnavailable,
    WrongVersion,
)
from shared.ids import mint
from shared.rebuild import head_of
from tests.builders import raw
from tests.kurrent.conftest import Opener
from tests.kurrent.server import StandIn
from tests.waiting import AT_ONCE, LONG, until

pytestmark = pytest.mark.integration


def filled(journal: KurrentJournal, count: int = 30) -> list[int]:
    return [
        journal.append(f"s{n % 3}", [raw()], expected=n // 3 - 1).position
        for n in range(count)
    ]


def test_positions_rise_with_holes_and_every_one_is_a_place_to_resume(
    journal: KurrentJournal,
) -> None:
    positions = filled(journal)
    assert [r.position for r in journal.read_all(0, PAGE)] == positions
    assert positions == sorted(set(positions))
    assert positions[0] > 0
    for index, position in enumerate(positions):
        rest = journal.read_all(position, 4)
        assert [r.position for r in rest] == positions[index + 1 : index + 5]
    assert head_of(journal) == positions[-1]  # asks for positions between facts, too
    assert journal.read_all(0, 0) == []


def test_the_fact_at_a_position_is_what_follows_one_less(
    journal: KurrentJournal,
) -> None:
    for position in filled(journal, 9):
        assert [r.position for r in journal.read_all(position - 1, 1)] == [position]


def test_a_position_of_another_store_is_not_taken_for_one_of_ours(
    journal: KurrentJournal,
) -> None:
    positions = filled(journal, 3)
    with pytest.raises(CorruptRecord, match=f"position {positions[1] + 1} is not one"):
        journal.read_all(positions[1] + 1, PAGE)


def test_a_stream_and_all_streams_give_the_same_position(
    journal: KurrentJournal,
) -> None:
    batch = [raw() for _ in range(3)]
    appended = journal.append("a", batch, expected=NO_STREAM)
    of_stream = [r.position for r in journal.read("a")]
    assert of_stream == [r.position for r in journal.read_all(0, PAGE)]
    assert of_stream[-1] == appended.position


def test_the_position_is_looked_up_if_the_server_does_not_tell_it(
    server: StandIn, journal: KurrentJournal
) -> None:
    server.faults.untold = True
    appended = journal.append("a", [raw(), raw()], expected=NO_STREAM)
    assert appended.position == server.log.end()
    assert appended.version == 1


def test_the_events_on_the_server_are_plain_json_under_the_facts_name(
    server: StandIn, journal: KurrentJournal
) -> None:
    event = structs.replace(raw(size=3), schema=12)
    bare = structs.replace(raw(), meta=b"{}")
    journal.append("a", [event, bare], expected=NO_STREAM)
    first, second = server.log.stream("a")
    assert first.type == "ThingMade"
    assert first.content_type == "application/json"
    assert first.data == event.body
    assert first.metadata.startswith(b'{"schema":12,"seal":"')
    assert first.metadata.endswith(b"," + event.meta[1:])
    assert second.metadata.endswith(b'"}')
    found = list(journal.read("a"))
    assert [r.meta for r in found] == [event.meta, b"{}"]
    assert [r.schema for r in found] == [12, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"data": b"{}"},
        {"type": "ThingMode"},
        {"id": str(mint())},
        {"metadata": b"{}"},
        {"metadata": b""},
    ],
    ids=["body", "type", "id", "no seal", "no metadata"],
)
def test_an_altered_event_is_named_and_not_shown(
    server: StandIn, journal: KurrentJournal, change: dict[str, str]
) -> None:
    positions = filled(journal, 3)
    altered = server.log.stream("s1")[0]
    server.log.alter(positions[1], replace(altered, **change))
    with pytest.raises(CorruptRecord, match=f"position {positions[1]} in s1"):
        journal.read_all(0, PAGE)
    with pytest.raises(CorruptRecord, match=f"position {positions[1]} in s1"):
        list(journal.read("s1"))


def test_every_flipped_bit_of_the_metadata_is_found(
    server: StandIn, journal: KurrentJournal
) -> None:
    (position,) = filled(journal, 1)
    entry = server.log.stream("s0")[0]
    for index in range(len(entry.metadata)):
        flipped = bytearray(entry.metadata)
        flipped[index] ^= 1
        server.log.alter(position, replace(entry, metadata=bytes(flipped)))
        with pytest.raises(CorruptRecord):
            journal.read_all(0, PAGE)


def test_a_version_that_is_missing_is_named(
    server: StandIn, journal: KurrentJournal
) -> None:
    journal.append("a", [raw() for _ in range(3)], expected=NO_STREAM)
    first, second, _ = server.log.stream("a")
    del server.log._streams["a"][1]
    with pytest.raises(CorruptRecord, match="version 1 of a is missing"):
        list(journal.read("a"))
    assert second.revision == first.revision + 1


def test_a_deleted_stream_is_no_empty_stream(
    server: StandIn, journal: KurrentJournal
) -> None:
    journal.append("a", [raw()], expected=NO_STREAM)
    server.log.tombstones.add("a")
    with pytest.raises(CorruptRecord, match="a was deleted"):
        list(journal.read("a"))
    with pytest.raises(CorruptRecord, match="a was deleted"):
        journal.append("a", [raw()], expected=0)


def test_names_of_the_server_are_refused(journal: KurrentJournal) -> None:
    for stream in ("$all", "$$a", ""):
        with pytest.raises(ValueError, match=r"\$"):
            journal.append(stream, [raw()], expected=NO_STREAM)
    with pytest.raises(ValueError, match=r"\$"):
        journal.append(
            "a", [structs.replace(raw(), type_name="$>")], expected=NO_STREAM
        )
    with pytest.raises(ValueError, match="compact JSON"):
        journal.append("a", [structs.replace(raw(), meta=b"[]")], expected=NO_STREAM)
    assert journal.read_all(0, PAGE) == []


def test_more_than_the_server_takes_is_refused_whole(journal: KurrentJournal) -> None:
    with pytest.raises(ValueError, match="MaximumAppendSize"):
        journal.append("a", [raw(size=600_000) for _ in "ab"], expected=NO_STREAM)
    assert list(journal.read("a")) == []


def test_a_repeat_after_loading_anew_is_noticed_by_a_process_that_saw_nothing(
    server: StandIn, open_journal: Opener
) -> None:
    first, second = open_journal(server.port), open_journal(server.port)
    batch = [raw(), raw()]
    answer = first.append("a", batch, expected=NO_STREAM)
    first.append("a", [raw()], expected=1)
    assert second.append("a", batch, expected=2) == answer
    assert second.append("a", batch, expected=1) == answer
    with pytest.raises(WrongVersion):
        second.append("a", [raw()], expected=1)
    with pytest.raises(WrongVersion):
        second.append("a", [batch[0], raw()], expected=1)
    assert len(list(first.read("a"))) == 3


@pytest.mark.parametrize("expected", [NO_STREAM, 0, 1, 2, 9])
def test_a_repeat_is_known_wherever_it_stands_in_the_stream(
    server: StandIn, open_journal: Opener, expected: int
) -> None:
    first, second = open_journal(server.port), open_journal(server.port)
    batch = [raw(), raw()]
    first.append("a", [raw()], expected=NO_STREAM)
    answer = first.append("a", batch, expected=0)
    first.append("a", [raw()], expected=2)
    assert second.append("a", batch, expected=expected) == answer
    assert len(list(first.read("a"))) == 4


def test_a_writer_that_has_read_its_stream_asks_once(
    server: StandIn, open_journal: Opener
) -> None:
    open_journal(server.port).append("a", [raw(), raw()], expected=NO_STREAM)
    journal = open_journal(server.port)
    assert len(list(journal.read("a"))) == 2
    before = server.calls
    for version in range(1, 6):
        journal.append("a", [raw()], expected=version)
    assert server.calls == before + 5


def test_ids_are_forgotten_by_the_stream_and_gaps_are_not_remembered() -> None:
    known = KnownIds(kept=5)
    first, second, late = [mint() for _ in range(3)], [mint() for _ in range(3)], mint()
    a = known.of("a")
    known.note(a, 0, first)
    known.note(a, 1, first[1:])  # known already
    known.note(a, 4, [late])  # 3 is missing
    assert a.version == 2
    assert a.among([first[1], late]) == {first[1]: 1}
    known.note(known.of("b"), 0, second)
    b = known.of("b")  # now there are more than 5
    assert known.of("a").version == NO_STREAM
    assert a.among(first) == {first[0]: 0, first[1]: 1, first[2]: 2}  # who holds it
    known.note(a, 3, [mint() for _ in range(90)])  # counts no more
    assert known.of("b") is b


class Forgetful(KnownIds):
    """Forgets every stream as soon as another one is asked for, and before that."""

    @override
    def of(self, stream: str) -> Ids:
        self._streams.clear()
        return super().of(stream)


def test_a_stream_forgotten_in_the_middle_of_an_append_is_not_written_twice(
    server: StandIn, open_journal: Opener
) -> None:
    first = open_journal(server.port)
    batch = [raw(), raw()]
    answer = first.append("a", batch, expected=NO_STREAM)
    second = open_journal(server.port, known=Forgetful())
    assert second.append("a", batch, expected=1) == answer
    assert second.append("a", [raw()], expected=1).version == 2
    assert len(list(first.read("a"))) == 3


@pytest.mark.usefixtures("no_look")
def test_another_process_is_noticed_at_once(
    server: StandIn, open_journal: Opener
) -> None:
    here, there = open_journal(server.port), open_journal(server.port)
    assert not here.wait(0, 0)
    position = 0
    for version in range(5):
        timer = threading.Timer(
            0.1, there.append, ("a", [raw()]), {"expected": version - 1}
        )
        timer.start()
        began = time.monotonic()
        assert here.wait(position, LONG)
        assert time.monotonic() - began < AT_ONCE
        timer.join()
        position = here.read_all(position, 1)[0].position


def test_the_look_each_second_finds_what_a_silent_subscription_does_not(
    server: StandIn, open_journal: Opener
) -> None:
    server.faults.deaf = True
    here, there = open_journal(server.port), open_journal(server.port)
    assert not here.wait(0, 0.1)
    until(lambda: here._watch._subscribed, "the subscription")
    timer = threading.Timer(0.2, there.append, ("a", [raw()]), {"expected": NO_STREAM})
    timer.start()
    began = time.monotonic()
    assert here.wait(0, LONG)
    assert time.monotonic() - began < AT_ONCE
    timer.join()


@pytest.mark.usefixtures("no_look")
def test_closing_finishes_what_was_accepted_and_takes_nothing_more(
    server: StandIn, open_journal: Opener
) -> None:
    journal = open_journal(server.port)
    server.faults.delay = 0.3
    with ThreadPoolExecutor(5) as pool:
        writes = [
            pool.submit(journal.append, f"s{n}", [raw()], expected=NO_STREAM)
            for n in range(4)
        ]
        waiter = pool.submit(journal.wait, 10**9, 2 * LONG)
        until(lambda: journal._busy + sum(w.done() for w in writes) == 4, "all taken")
        journal.close()
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
