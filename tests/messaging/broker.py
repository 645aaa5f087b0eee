"""A private RabbitMQ for tests, and what a test may do to it.

Use `private_broker(settings)` from any test; it is this test's own, on free loopback
ports, and is ended by its pid.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.brokerage import OPERATOR
from services.compose import create_data
from services.supervisor import broker
from services.talking import broker_of
from services.walk import free_port_base
from shared.messaging.names import DEAD
from shared.messaging.node import NoBroker, Node
from shared.messaging.rabbit.broker import QueueState, looked_at
from shared.settings import Settings

STARTS_AT = 28_500  # above what other tests take, below what the system gives out


def fresh_settings(folder: Path, **more: str) -> Settings:
    """Return settings of an empty organisation under `folder`, on free ports."""
    settings = free_settings(folder, **more)
    create_data(settings.folder)
    return settings


def free_settings(folder: Path, **more: str) -> Settings:
    """Return settings on free ports; there is no organisation yet."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 2
    start = STARTS_AT + 2000 * worker + 50 * (uuid4().int % 36)
    return Settings.from_env(
        {
            "LETTERLOCK_DATA": str(folder / "data"),
            "LETTERLOCK_PORT_BASE": str(free_port_base(start)),
            "LETTERLOCK_UNDO_SECONDS": "0",
            **more,
        }
    )


@contextmanager
def private_broker(settings: Settings) -> Iterator[Node]:
    """Run a broker for `settings`, with accounts and rights as in production."""
    try:
        with broker(settings) as node:
            yield node
    except NoBroker as error:
        said = (settings.data / "broker" / "node.out").read_text(errors="replace")
        error.add_note(said[-3000:])
        raise


def state_of(settings: Settings, queue: str) -> QueueState:
    """Return how many messages wait in a queue and how many processes read it."""
    return looked_at(broker_of(settings, OPERATOR), [queue])[0]


def dead_of(settings: Settings) -> int:
    """Return how many dead letters there are."""
    return state_of(settings, DEAD).waiting


@contextmanager
def raw_channel(settings: Settings, user: str) -> Iterator[Any]:
    """Open a channel of a user, to do what our own code never does."""
    connection = broker_of(settings, user).connect()
    try:
        yield connection.channel()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def brokered() -> Iterator[tuple[Settings, Node]]:
    """Run one broker for all tests of a module, with a data folder beside it."""
    with tempfile.TemporaryDirectory(prefix="letterlock-") as folder:
        settings = fresh_settings(Path(folder))
        with private_broker(settings) as node:
            yield settings, node


def elsewhere(settings: Settings, port: int) -> Settings:
    """Return the same settings with the broker on another port."""
    return replace(settings, broker_port=port)
