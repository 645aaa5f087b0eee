"""Wake-up hints: tell whoever waits that the store has moved on. Never truth."""

from __future__ import annotations

from typing import Protocol


class Hints(Protocol):
    """Carries "there is something after p"; may lose a hint, never delays a writer.

    Whoever waits looks at the store itself at least once a second as well.
    """

    def notify(self, position: int) -> None:
        """Say that the fact at `position` is stored; returns at once."""
        ...

    def wait(self, after: int, timeout: float) -> bool:
        """Block until a hint beyond `after`; False after `timeout` seconds."""
        ...
