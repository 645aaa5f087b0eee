"""The last facts of a store are found, whatever its positions."""

from __future__ import annotations

import pytest

from services.verbs_data import last_facts
from shared.codec import EventCodec
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.eventstore.port import Journal
from tests.builders import raw
from tests.kurrent.conftest import Opener
from tests.kurrent.server import StandIn

COUNT = 12


def filled(journal: Journal) -> Journal:
    for number in range(COUNT):
        journal.append("s", [raw()], expected=number - 1)
    return journal


def check(journal: Journal) -> None:
    store = CodedStore(journal, EventCodec("none"))
    every = [record.position for record in store.read_all()]
    assert len(every) == COUNT

    def last(many: int, after: int = 0) -> list[int]:
        return [record.position for record in last_facts(store, after, many)]

    for many in (1, 5, COUNT, COUNT + 1):
        assert last(many) == every[-many:]
    assert last(5, every[-3]) == every[-2:]
    assert last(2, every[-6]) == every[-2:]
    assert last(5, every[-1]) == []


def test_positions_without_gaps() -> None:
    check(filled(MemoryJournal()))


@pytest.mark.integration
def test_positions_with_gaps_as_somebody_who_comes_later_sees_them(
    server: StandIn, open_journal: Opener
) -> None:
    filled(open_journal(server.port))
    check(open_journal(server.port))
