"""Hints inside one process: a condition variable."""

from __future__ import annotations

import threading


class LocalHints:
    """Wakes the threads of this process."""

    def __init__(self) -> None:
        """Know of no fact yet."""
        self._moved = threading.Condition()
        self._latest = 0

    def notify(self, position: int) -> None:
        """Wake all who wait for something before or at `position`."""
        with self._moved:
            if position > self._latest:
                self._latest = position
                self._moved.notify_all()

    def wait(self, after: int, timeout: float) -> bool:
        """Block until a hint beyond `after`; False after `timeout` seconds."""
        with self._moved:
            return self._moved.wait_for(lambda: self._latest > after, timeout)
