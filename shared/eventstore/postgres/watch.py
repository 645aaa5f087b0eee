"""Waiting for news: one listening connection a process, a look each second besides."""

from __future__ import annotations

import os
import select
import threading
import time
from typing import Final

from shared.errors import Fault
from shared.eventstore.postgres.layout import CHANNEL
from shared.eventstore.postgres.line import Line, Lost
from shared.eventstore.postgres.lines import Lines
from shared.eventstore.postgres.wire import number

SAFETY_POLL: Final = 1.0  # s between looks, should a notice be lost
RETRY: Final = 0.2  # s before listening again
_CONNECTING: Final = 5.0  # s
_LISTEN: Final = f"LISTEN {CHANNEL}".encode()
_HEAD: Final = b"SELECT coalesce(max(pos), 0) FROM letterlock.events"


class Watch:
    """Knows the last position of the store; its thread runs from the first wait on.

    A notice only wakes sleepers: the store itself is asked how far it has come.
    """

    def __init__(self, lines: Lines) -> None:
        """Listen on a line of its own out of `lines`."""
        self._lines = lines
        self._changed = threading.Condition()
        self._head = 0
        self._listening = 0  # how often it began
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._bell, self._rope = os.pipe()

    def wait(self, after: int, timeout: float) -> bool:
        """Block until the store has a fact later than `after`, `timeout` s at most.

        Raises:
            StoreUnavailable: the store cannot be asked.
        """
        until = time.monotonic() + timeout
        while True:
            began = self._listening
            if self._head > after:
                return True
            self.reach(self._lines.call(_head))
            left = until - time.monotonic()
            if self._head > after or left <= 0 or self._stopped:
                return self._head > after
            self._start()
            with self._changed:
                if self._head <= after and self._listening == began:
                    self._changed.wait(min(left, SAFETY_POLL))

    def reach(self, position: int) -> None:
        """Wake all who wait for something before or at `position`."""
        with self._changed:
            if position > self._head:
                self._head = position
                self._changed.notify_all()

    def close(self) -> None:
        """End the thread, and wake who waits."""
        with self._changed:
            if self._stopped:
                return
            self._stopped = True
            self._changed.notify_all()
            thread = self._thread
        os.write(self._rope, b"\0")
        if thread:
            thread.join()
        os.close(self._rope)
        os.close(self._bell)

    def _start(self) -> None:
        with self._changed:
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(
                    target=self._follow, name="postgres-watch", daemon=True
                )
                self._thread.start()

    def _follow(self) -> None:
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        while not self._stopped:
            try:
                line = self._lines.connect(time.monotonic() + _CONNECTING)
            except (Fault, Lost):
                poll.poll(RETRY * 1000)  # `wait` looks for itself, and says so
                continue
            try:
                self._listen(line)
            except (Fault, Lost):
                poll.poll(RETRY * 1000)
            finally:
                line.close()

    def _listen(self, line: Line) -> None:
        line.ask(_LISTEN, until=time.monotonic() + _CONNECTING)
        with self._changed:
            self._listening += 1  # what came before is not told: look once more
            self._changed.notify_all()
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        poll.register(line.socket, select.POLLIN)
        while not self._stopped:
            poll.poll()
            if line.news():
                self.reach(_head(line, time.monotonic() + _CONNECTING))
                line.news()  # told meanwhile, and read already


def _head(line: Line, until: float) -> int:
    return number(line.ask(_HEAD, until=until).get_value(0, 0))
