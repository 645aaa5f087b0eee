"""A server that tests share, and journals on stores of their own there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import pytest

from shared.eventstore.postgres import PostgresJournal, watch
from tests.postgres.server import Server, private_server
from tests.waiting import LONG

STORE: Final = "store"
Opener = Callable[..., PostgresJournal]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with private_server() as started:
        yield started


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def name(server: Server) -> str:
    """Return the name of an empty store."""
    server.store(STORE)
    return STORE


@pytest.fixture
def open_journal(stack: ExitStack, server: Server, name: str, tmp_path: Path) -> Opener:
    """Return what opens journals on the store, patient ones unless told."""

    def open_store(*, patience: float = LONG) -> PostgresJournal:
        address = server.address(name, tmp_path)
        opened = PostgresJournal(address, patience=patience)
        return stack.enter_context(closing(opened))

    return open_store


@pytest.fixture
def journal(open_journal: Opener) -> PostgresJournal:
    return open_journal()


@pytest.fixture
def no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put off the look each second, which would stand in for a notice that is lost."""
    monkeypatch.setattr(watch, "SAFETY_POLL", LONG)
