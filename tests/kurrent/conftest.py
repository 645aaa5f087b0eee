"""Servers that a test may break, and journals on them; all are put away after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from shared.eventstore.kurrent import Cluster, KurrentJournal, watch
from shared.eventstore.kurrent.known import KnownIds
from tests.kurrent.cutter import Cutter
from tests.kurrent.server import StandIn
from tests.waiting import LONG

Opener = Callable[..., KurrentJournal]


def have_patience(journal: KurrentJournal, seconds: float) -> None:
    """Let each further call take so long."""
    journal._patience = journal._line._patience = seconds


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def server(stack: ExitStack) -> StandIn:
    started = StandIn()
    stack.callback(started.stop)
    return started


@pytest.fixture
def wire(stack: ExitStack, server: StandIn) -> Cutter:
    """Return a wire to the server that can be cut."""
    return stack.enter_context(closing(Cutter(server.port)))


@pytest.fixture
def open_journal(stack: ExitStack) -> Opener:
    """Return what opens journals on a port of this machine, in plain text; patient."""

    def open_at(port: int, *, known: KnownIds | None = None) -> KurrentJournal:
        cluster = Cluster.from_uri(f"kurrentdb://localhost:{port}?tls=false")
        opened = KurrentJournal(cluster, patience=LONG, known=known)
        return stack.enter_context(closing(opened))

    return open_at


@pytest.fixture
def journal(server: StandIn, open_journal: Opener) -> KurrentJournal:
    return open_journal(server.port)


@pytest.fixture
def no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put off the look each second, which would stand in for a silent subscription."""
    monkeypatch.setattr(watch, "SAFETY_POLL", LONG)
