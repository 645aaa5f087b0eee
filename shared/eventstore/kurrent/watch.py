"""Waiting for news: one subscription a process, and a look each second besides."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from kurrentdbclient.streams import StreamsService

from shared.errors import Fault
from shared.eventstore.kurrent.line import METADATA, Line
from shared.eventstore.kurrent.pages import OWN

SAFETY_POLL: Final = 1.0  # s between looks, should the subscription be silent
RETRY: Final = 0.2  # s before subscribing again
_JOIN: Final = 2.0  # s


class Watch:
    """Knows the last position of the store; its thread runs from the first wait on.

    The subscription begins at the end, and after a break where it had come to: it wakes
    sleepers and brings nothing they could miss, for `look` asks the store itself.
    """

    def __init__(self, line: Line, look: Callable[[], int]) -> None:
        """Subscribe over `line`; `look` returns the position of the last fact."""
        self._line = line
        self._look = look
        self._changed = threading.Condition()
        self._head = 0
        self._came_to: int | None = None  # a fact or a checkpoint
        self._subscribed = 0  # how often
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def wait(self, after: int, timeout: float) -> bool:
        """Block until the store has a fact later than `after`, `timeout` s at most.

        Raises:
            StoreUnavailable: the store cannot be asked.
        """
        until = time.monotonic() + timeout
        while True:
            subscribed = self._subscribed
            if self._head > after:
                return True
            self._reach(self._look())
            left = until - time.monotonic()
            if self._head > after or left <= 0 or self._stop.is_set():
                return self._head > after
            self._start()
            self._rest(after, subscribed, min(left, SAFETY_POLL))

    def halt(self) -> None:
        """Let the thread end as soon as the line is closed; wake who waits."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def join(self) -> None:
        """Wait a little for the thread; it holds nothing."""
        thread = self._thread
        if thread and thread is not threading.current_thread():
            thread.join(_JOIN)

    def _rest(self, after: int, subscribed: int, timeout: float) -> None:
        """Sleep until something later than `after` is seen, or seeing begins anew."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._head > after
                    or self._subscribed != subscribed
                    or self._stop.is_set()
                ),
                timeout,
            )

    def _start(self) -> None:
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._follow, name="kurrent-watch", daemon=True
                )
                self._thread.start()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self._line.call(self._listen)
            except Fault:
                self._stop.wait(RETRY)  # `wait` looks for itself, and says so

    def _listen(self, streams: StreamsService, _: float) -> None:
        with streams.read(
            commit_position=self._came_to,
            from_end=self._came_to is None,
            filter_exclude=OWN,
            filter_by_stream_name=True,
            subscribe=True,
            include_checkpoints=True,
            metadata=METADATA,
        ) as subscription:
            with self._changed:
                self._subscribed += 1
                self._changed.notify_all()
            for seen in subscription:
                self._came_to = seen.commit_position
                if not seen.is_checkpoint:
                    self._reach(seen.commit_position)

    def _reach(self, position: int) -> None:
        with self._changed:
            if position > self._head:
                self._head = position
                self._changed.notify_all()
