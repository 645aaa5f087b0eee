"""The broker that the tests of a module share, and one service that reads from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.children import Supervisor
from services.supervisor import await_ready
from shared.messaging.node import Node
from shared.settings import Settings
from tests.messaging.broker import brokered

__all__ = ["brokered"]


@pytest.fixture(scope="module")
def served(brokered: tuple[Settings, Node]) -> Iterator[tuple[Settings, Supervisor]]:
    settings, _ = brokered
    supervisor = Supervisor(settings)
    supervisor.start(("rpc", "crm"))
    try:
        await_ready(settings, supervisor)
        yield settings, supervisor
    finally:
        supervisor.stop()
