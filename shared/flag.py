"""A flag that a process shows while something in it stands still for good.

Whoever looks at it from beside, such as `deploy/image/probe.py`, needs no right, no
secret and no file: it is the name of a socket that nobody can connect to, which the
system lists in `/proc/net/unix` and takes back when the process ends.
"""

from __future__ import annotations

import os
import socket
from typing import Final

NAME: Final = "letterlock-stands-still"


class Flag:
    """Shown or not; not when made."""

    def __init__(self) -> None:
        """Show nothing."""
        self._shown: socket.socket | None = None

    def show(self, *, shown: bool) -> None:
        """Show it, or take it down; doing so again changes nothing.

        Raises:
            OSError: the system could not make a socket.
        """
        if shown and self._shown is None:
            flag = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            flag.bind(f"\0{NAME}-{os.getpid()}")
            self._shown = flag
        elif not shown and self._shown is not None:
            self._shown.close()
            self._shown = None
