"""Trying again: bounded, with jitter, and only where it can help."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from shared.eventstore.port import WrongVersion

T = TypeVar("T")
TRIES: Final = 12


def on_conflict(attempt: Callable[[], T]) -> T:
    """Return `attempt()`, run again when another writer was first, at most 12 times.

    The second time at once, and each time after that with a longer pause before it.

    Raises:
        WrongVersion: the stream stayed contended.
    """
    with suppress(WrongVersion):  # a `Retrying` takes 40 us to make
        return attempt()
    retrying = Retrying(
        retry=retry_if_exception_type(WrongVersion),
        stop=stop_after_attempt(TRIES - 1),
        wait=wait_random_exponential(multiplier=0.002, max=0.25),
        reraise=True,
    )
    return retrying(attempt)
