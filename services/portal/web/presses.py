"""Which buttons were pressed already: so that a second press is not asked about."""

from __future__ import annotations

import threading
from collections import OrderedDict
from uuid import UUID


class Presses:
    """The last commands that were carried out. Safe to share between threads.

    Only a convenience: a command that is carried out again returns its first result
    whether it is known here or not.
    """

    def __init__(self, remembered: int = 1000) -> None:
        """Start with none; keep at most `remembered`."""
        self._remembered = remembered
        self._done: OrderedDict[UUID, None] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, command: UUID) -> None:
        """Keep that `command` was carried out."""
        with self._lock:
            self._done[command] = None
            while len(self._done) > self._remembered:
                self._done.popitem(last=False)

    def known(self, command: UUID) -> bool:
        """Say whether `command` was carried out lately."""
        with self._lock:
            return command in self._done
