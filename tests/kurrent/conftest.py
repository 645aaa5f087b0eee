"""Servers that a test may break, and journals on them; all are put away after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from shared.eventstore.kurrent import Cluster, KurrentJournal
from tests.kurrent.cutter import Cutter
from tests.kurrent.server import StandIn

Opener = Callable[..., KurrentJournal]


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
    """Return what opens journals on a port of this machine, in plain text."""

    def open_at(port: int, **options: Any) -> KurrentJournal:
        cluster = Cluster.from_uri(f"kurrentdb://localhost:{port}?tls=false")
        return stack.enter_context(closing(KurrentJournal(cluster, **options)))

    return open_at


@pytest.fixture
def journal(server: StandIn, open_journal: Opener) -> KurrentJournal:
    return open_journal(server.port)
