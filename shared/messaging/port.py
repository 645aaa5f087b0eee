"""What processes need of one another: wake-up hints and answers. Never truth."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from shared.errors import Fault
from shared.messaging.label import Label


class Unreachable(Fault):
    """The other service did not answer in time; trying again may help."""


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


class Line(Protocol):
    """Carries one question at a time, sealed, and brings its answer."""

    @property
    def address(self) -> str:
        """Where answers to this line go."""
        ...

    def ask(self, label: Label, body: bytes, timeout: float) -> tuple[Label, bytes]:
        """Return the label and body of the answer to the message `label.message_id`.

        Raises:
            Unreachable: nobody took the message, or no answer came in `timeout` s.
        """
        ...


class Carrier(Protocol):
    """Lends lines to the threads of a process."""

    def line(self) -> AbstractContextManager[Line]:
        """Lend a line that nobody else uses meanwhile. Raises Unreachable."""
        ...
