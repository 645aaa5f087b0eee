"""Connections to the primary: found, lost, and found again, in bounded time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from shared.errors import Fault
from shared.eventstore.port import StoreUnavailable
from shared.eventstore.postgres.address import Address
from shared.eventstore.postgres.line import Line, Lost

T = TypeVar("T")
_FIRST_PAUSE: Final = 0.02  # s
_LAST_PAUSE: Final = 0.5  # s


class Lines:
    """As many connections as are used at once; safe for threads."""

    def __init__(self, address: Address, patience: float) -> None:
        """Connect to `address`, later; a call takes at most `patience` s."""
        self._address = address
        self._patience = patience
        self._mutex = threading.Lock()
        self._free: list[Line] = []
        self._closed = False

    def call(self, work: Callable[[Line, float], T], until: float | None = None) -> T:
        """Return `work(line, until)`, repeated on other lines while they fail.

        Raises:
            StoreUnavailable: refused, or no success in time. A write may have happened.
        """
        now = time.monotonic()
        until = now + self._patience if until is None else until
        pause = _FIRST_PAUSE
        while True:
            line = None
            try:
                line = self._take() or self.connect(until)
                found = work(line, until)
            except Lost as lost:
                if line:
                    line.close()
                self._drop()  # they are of the same age
                if until - time.monotonic() <= pause:
                    raise self._given_up(lost, time.monotonic() - now) from None
            except Fault:
                if line:
                    self._keep(line)
                raise
            except BaseException:
                if line:
                    line.close()
                raise
            else:
                self._keep(line)
                return found
            time.sleep(pause)
            pause = min(pause * 2, _LAST_PAUSE)

    def connect(self, until: float) -> Line:
        """Return a new line to the primary; whoever asks closes it.

        Raises:
            Lost: none of the targets is it, or answers in time.
            StoreUnavailable: refused.
        """
        targets = self._address.targets
        lost = Lost("no time was left")
        for left, target in zip(range(len(targets), 0, -1), targets, strict=True):
            now = time.monotonic()
            if now >= until:
                break
            conninfo = self._address.conninfo(target, self._patience)
            try:
                return Line(conninfo, now + (until - now) / left)
            except Lost as error:
                lost = error
        raise lost

    def close(self) -> None:
        """Close the free ones now, and those in use as they come back."""
        with self._mutex:
            self._closed = True
        self._drop()

    def _take(self) -> Line | None:
        with self._mutex:
            if self._closed:
                raise StoreUnavailable("the journal is closed")
            return self._free.pop() if self._free else None

    def _keep(self, line: Line) -> None:
        with self._mutex:
            keep = not self._closed
            if keep:
                self._free.append(line)
        if not keep:
            line.close()

    def _drop(self) -> None:
        with self._mutex:
            free, self._free = self._free, []
        for line in free:
            line.close()

    def _given_up(self, lost: Lost, seconds: float) -> StoreUnavailable:
        return StoreUnavailable(
            f"no answer from {self._address} in {seconds:.1f} s: {lost}"
        )
