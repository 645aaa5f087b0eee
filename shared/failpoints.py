"""Named places at which a test may end the process, to see what is left behind."""

from __future__ import annotations

import os
import signal
from typing import Final, Protocol

NAMES: Final = (
    "send.before_append",
    "send.after_append",
    "relay.before_intent",
    "relay.after_intent",
    "relay.after_250",
    "relay.after_record",
    "open.before_append",
    "open.after_append",
    "read.before_bytes",
)
"""Every place there is."""


class Failpoints(Protocol):
    """Is told each time a named place is passed."""

    def hit(self, name: str) -> None:
        """Pass the place `name`, one of `NAMES`; does not come back if it is armed."""
        ...


class Nowhere:
    """No place is armed; what every real start uses."""

    def hit(self, name: str) -> None:
        """Do nothing."""


class KillAt:
    """Ends the process by SIGKILL at one place, as a power cut would."""

    def __init__(self, name: str) -> None:
        """Arm the place `name`.

        Raises:
            ValueError: there is no such place.
        """
        if name not in NAMES:
            message = f"there is no failpoint {name!r}; there are: {', '.join(NAMES)}"
            raise ValueError(message)
        self._name = name

    def hit(self, name: str) -> None:
        """End the process here if this is the place."""
        if name == self._name:
            os.kill(os.getpid(), signal.SIGKILL)
