"""Streams of this service: folded with the time of each fact, which its rules need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar

from typing_extensions import override

from shared.clock import Clock
from shared.events import Recorded
from shared.eventstore.port import EventStore
from shared.handling import Aggregates, Loaded

S = TypeVar("S")

ORGANISATION: Final = "envelope.organisation"


def stream_of(envelope_id: str) -> str:
    """Return the stream of an envelope."""
    return f"envelope.envelope-{envelope_id}"


def notice_stream_of(notice_id: str) -> str:
    """Return the stream of a notice."""
    return f"envelope.notice-{notice_id}"


class Streams(Aggregates[S]):
    """As `Aggregates`, but `fold` sees the whole record: fact, time and id."""

    def __init__(
        self,
        store: EventStore,
        clock: Clock,
        initial: S,
        fold: Callable[[S, Recorded], S],
    ) -> None:
        """Fold with `fold` from `initial`; write nothing yet."""
        super().__init__(store, clock, initial, lambda state, _: state)
        self._time = clock
        self._fold_record = fold

    def now(self, loaded: Loaded[S]) -> datetime:
        """Return the present instant, never earlier than the stream's last fact."""
        return max(self._time.now(), loaded.at)

    @override
    def _fold(self, loaded: Loaded[S], tail: Sequence[Recorded]) -> None:
        for record in tail:
            loaded.state = self._fold_record(loaded.state, record)
        super()._fold(loaded, tail)
