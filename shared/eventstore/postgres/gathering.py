"""Folding for a store whose flush costs far more than a moment's wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from shared.eventstore.folding import FOLDED, Ask, Folding

SHARE: Final = 0.5  # of the last write, that the next one is put off at most
LONGEST: Final = 0.002  # s, that a write is put off at most
_STEP: Final = 0.00005  # s between looks
_FADES: Final = 0.75  # how many are expected, when fewer came


class Gathering(Folding):
    """Waits, before it writes, for as many callers as wrote together lately.

    Who was answered together mostly asks again at once: without the moment one would
    write alone and the others wait for two flushes. Who writes alone waits for nobody.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Ask]], None],
        *,
        share: float = SHARE,
        longest: float = LONGEST,
    ) -> None:
        """Write batches with `write`, as `Folding`."""
        super().__init__(self._together)
        self._write_all = write
        self._share = share
        self._longest = longest
        self._lately = 1  # callers that wrote together
        self._took = 0.0  # s

    def _together(self, batch: Sequence[Ask]) -> None:
        until = time.monotonic() + min(self._took * self._share, self._longest)
        while self._missing(batch) and time.monotonic() < until:
            time.sleep(_STEP)
        late: list[Ask] = []
        try:
            with self._mutex:
                while self._queue and len(batch) + len(late) < FOLDED:
                    late.append(self._queue.popleft())
            began = time.monotonic()
            self._write_all([*batch, *late])
            self._took = time.monotonic() - began
        finally:
            came = len(batch) + len(late)
            self._lately = max(came, int(self._lately * _FADES))
            for ask in late:
                ask.gate.release()

    def _missing(self, batch: Sequence[Ask]) -> bool:
        return len(batch) + len(self._queue) < self._lately
