"""The journal on a cluster keeps the promises of the contract, but one.

On a stand-in server always, on a real cluster when LETTERLOCK_TEST_KURRENT_URI names it
(with LETTERLOCK_TEST_KURRENT_CA and LETTERLOCK_TEST_KURRENT_CREDENTIALS, two files). A
real one should be empty and nobody else's: the tests leave their streams behind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from shared.eventstore.kurrent import Cluster, KurrentJournal
from shared.eventstore.port import NO_STREAM, Journal
from shared.ids import mint
from shared.rebuild import head_of
from tests.builders import raw
from tests.contract import test_eventstore as contract
from tests.kurrent.conftest import no_look
from tests.kurrent.renumbered import Renumbered
from tests.kurrent.server import StandIn
from tests.waiting import LONG

__all__ = ["no_look"]  # a fixture

pytestmark = pytest.mark.integration

REAL: Final = os.environ.get("LETTERLOCK_TEST_KURRENT_URI")
NARROWER: Final = "test_an_id_taken_by_another_fact_is_refused_whole"  # see below

globals().update(
    {
        name: promise
        for name, promise in vars(contract).items()
        if name.startswith("test_") and name != NARROWER
    }
)


@pytest.fixture(params=["stand-in", "cluster"] if REAL else ["stand-in"])
def journal(request: pytest.FixtureRequest) -> Iterator[Journal]:
    if request.param == "cluster":
        opened = KurrentJournal(_real(), patience=LONG)
        yield Renumbered(opened, head_of(opened), f"test.{mint().hex}-")
        opened.close()
        return
    server = StandIn()
    uri = f"kurrentdb://localhost:{server.port}?tls=false"
    opened = KurrentJournal(Cluster.from_uri(uri), patience=LONG)
    yield Renumbered(opened, 0, "")
    opened.close()
    server.stop()


def _real() -> Cluster:
    def named(name: str) -> Path | None:
        value = os.environ.get(f"LETTERLOCK_TEST_KURRENT_{name}")
        return Path(value) if value else None

    assert REAL
    return Cluster.from_uri(REAL, ca=named("CA"), credentials=named("CREDENTIALS"))


def test_an_id_taken_in_the_same_stream_is_refused_whole(journal: Journal) -> None:
    one = raw()
    journal.append("a", [one], expected=NO_STREAM)
    with pytest.raises(ValueError, match="already taken"):
        journal.append("a", [raw(), one], expected=0)
    twice = raw()
    with pytest.raises(ValueError, match="already taken"):
        journal.append("c", [twice, twice], expected=NO_STREAM)
    assert contract.positions(journal) == [1]
    assert list(journal.read("c")) == []


def test_an_id_of_another_stream_is_not_noticed(journal: Journal) -> None:
    one = raw()
    journal.append("a", [one], expected=NO_STREAM)
    journal.append("b", [one], expected=NO_STREAM)  # the port would refuse it
    assert contract.positions(journal) == [1, 2]
