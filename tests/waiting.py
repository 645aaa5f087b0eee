"""Waiting in tests: for something to happen, never for a time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from shared.errors import Fault

T = TypeVar("T")
LONG: Final = 60.0  # s; nothing takes so long, unless it never comes
AT_ONCE: Final = LONG / 2  # s; what takes less did not wait for `LONG` to pass


def until(
    wanted: Callable[[], T | None], what: str = "it", *, patience: float = LONG
) -> T:
    """Return the first true answer of `wanted`: looks at once, then ever less often.

    A look may cost a connection, and RabbitMQ keeps one of fifty waiting for 5 s when
    they come without a pause.
    """
    end, pause = time.monotonic() + patience, 0.003
    while not (found := wanted()):
        assert time.monotonic() < end, f"{what} did not come in {patience:g} s"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return found


def persistently(ask: Callable[[], T]) -> T:
    """Ask again, as a person presses again, until the answer is not a fault."""
    end = time.monotonic() + LONG
    while True:
        try:
            return ask()
        except Fault:
            if time.monotonic() > end:
                raise
