"""Counts what a stranger can bring about, so that a log cannot be filled with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

EVERY: Final = 10.0  # s; at most one line of a kind in this time


class Tally:
    """Tells how often each kind of thing happened: the first at once, then in sums."""

    def __init__(
        self,
        tell: Callable[[str, int], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Call `tell(kind, how_often)`; the sum of all calls is the truth."""
        self._tell = tell
        self._now = now
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._told: dict[str, float] = {}

    def note(self, kind: str) -> None:
        """Count one; kinds are few."""
        with self._lock:
            self._counts[kind] = self._counts.get(kind, 0) + 1
        self.look()

    def look(self, *, last: bool = False) -> None:
        """Tell what is due, or everything if it is the last look."""
        now = self._now()
        with self._lock:
            due = {
                kind: count
                for kind, count in self._counts.items()
                if last or now - self._told.get(kind, now - EVERY) >= EVERY
            }
            for kind in due:
                del self._counts[kind]
                self._told[kind] = now
        for kind, count in due.items():
            self._tell(kind, count)
