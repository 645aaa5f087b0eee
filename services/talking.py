"""How a process reaches the broker, as the user it is; loads the broker's library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.brokerage import password_of
from services.distributed import Talk, talk_over
from shared.messaging.rabbit.broker import Broker
from shared.messaging.rabbit.hints import RabbitHints
from shared.messaging.rabbit.lines import RabbitLines
from shared.settings import Settings


def broker_of(settings: Settings, user: str) -> Broker:
    """Return a user's way to the broker; raises as `password_of`."""
    return Broker(
        host=settings.broker_host,
        port=settings.broker_port,
        vhost=settings.broker_vhost,
        user=user,
        password=password_of(settings, user),
        ca=settings.broker_ca,
    )


@contextmanager
def talking(settings: Settings, user: str) -> Iterator[Talk]:
    """Yield what speaks with the other services as `user`."""
    lines = RabbitLines(broker_of(settings, user))
    try:
        yield talk_over(lines, settings)
    finally:
        lines.close()


@contextmanager
def hinted(settings: Settings, user: str) -> Iterator[RabbitHints]:
    """Yield hints as `user`; their threads end with it."""
    hints = RabbitHints(broker_of(settings, user))
    try:
        yield hints
    finally:
        hints.close()
