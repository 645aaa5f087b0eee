"""A server that tests share, and journals on stores of their own there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import pytest

from shared.eventstore.postgres import PostgresJournal
from tests.postgres.server import Server, private_server

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
    """Return what opens journals on the store."""

    def open_store(**options: Any) -> PostgresJournal:
        address = server.address(name, tmp_path)
        return stack.enter_context(closing(PostgresJournal(address, **options)))

    return open_store


@pytest.fixture
def journal(open_journal: Opener) -> PostgresJournal:
    return open_journal()
