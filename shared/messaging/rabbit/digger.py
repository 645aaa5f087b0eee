"""Puts messages among the dead letters, and decides what happens while it cannot.

The dead letters may be full, or away. A message that failed inside then waits, whatever
it costs: it may be half done. Of messages refused at the door, for which nothing was
done, only so many wait; the others are counted in the log and let go, or a stranger
could keep a service from hearing anybody else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from shared.messaging.rabbit.broker import MessageNacked
from shared.messaging.rabbit.dead import Burial, burial_of, bury
from shared.messaging.rabbit.lines import RabbitLines
from shared.messaging.rabbit.tally import Tally

_log = logging.getLogger(__name__)
REST: Final = 1.0  # s before burying is tried again

Done = Callable[[int, Any], None]
"""Have a message of a connection acknowledged: `(generation, message)`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Grave:
    """One message to be buried."""

    generation: int  # of the connection it came by
    message: Any
    burial: Burial
    cause: str
    refused: bool  # at the door


class Digger:
    """Buries what came by one queue; any thread may call it."""

    def __init__(
        self, lines: RabbitLines, queue: str, done: Done, *, room: int
    ) -> None:
        """Bury over `lines`; at most `room` refused messages wait for a full grave."""
        self._lines = lines
        self._queue = queue
        self._done = done
        self._room = room
        self._waiting: deque[_Grave] = deque()
        self._rested = 0.0  # when it may be tried again
        self._lock = threading.Lock()
        self._buried = Tally(
            lambda cause, n: _log.warning("%s: dead letter, %s (%d)", queue, cause, n)
        )
        self._unkept = Tally(
            lambda cause, n: _log.critical(
                "%s: dead letters cannot be kept; %s waits (%d)", queue, cause, n
            )
        )
        self._let_go = Tally(
            lambda cause, n: _log.critical(
                "%s: dead letters are full; %s let go (%d)", queue, cause, n
            )
        )

    def bury(self, message: Any, cause: str, *, generation: int, refused: bool) -> None:
        """Bury a message and have it acknowledged, now or later. Never raises.

        Args:
            message: its body is taken from it: of what is not kept, nothing stays.
            cause: a code, without content.
            generation: of the connection it came by.
            refused: nothing was done for it, not even half.
        """
        grave = _Grave(
            generation=generation,
            message=message,
            burial=burial_of(message, self._queue, cause),
            cause=cause,
            refused=refused,
        )
        message.body = b""
        self._buried_or_kept(grave)

    def again(self, generation: int) -> None:
        """Bury what could not be buried before, once in a while.

        What came by another connection than `generation` is forgotten: it comes again.
        """
        if time.monotonic() < self._rested:
            return
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
        here = deque(grave for grave in waiting if grave.generation == generation)
        while here and self._buried_or_kept(here.popleft()):
            pass
        with self._lock:
            self._waiting.extendleft(reversed(here))

    def look(self, *, last: bool = False) -> None:
        """Tell the log what has been counted; all of it if it is the last look."""
        for tally in (self._buried, self._unkept, self._let_go):
            tally.look(last=last)

    def _buried_or_kept(self, grave: _Grave) -> bool:
        try:
            with self._lines.line() as line:
                bury(line, grave.burial)
        except Exception as error:  # noqa: BLE001  # whatever it was, the message waits
            self._unkept.note(grave.cause)
            self._rested = time.monotonic() + REST
            with self._lock:
                self._waiting.append(grave)
            if isinstance(error, MessageNacked):
                self._make_room()
            return False
        self._buried.note(grave.cause)
        self._done(grave.generation, grave.message)
        return True

    def _make_room(self) -> None:
        """Let refused messages go, the oldest first, until few enough wait."""
        with self._lock:
            refused = [grave for grave in self._waiting if grave.refused]
            over = refused[: max(0, len(self._waiting) - self._room)]
            for grave in over:
                self._waiting.remove(grave)
        for grave in over:
            self._let_go.note(grave.cause)
            self._done(grave.generation, grave.message)
