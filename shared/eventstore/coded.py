"""The event store of one service: a journal, seen through that service's codec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.codec import EventCodec
from shared.events import NewEvent, Recorded
from shared.eventstore.port import NO_STREAM, PAGE, Appended, Journal


class CodedStore:
    """An `EventStore` over a journal that several services share.

    Facts are encoded and sealed before the journal sees them, in the caller's thread.
    """

    def __init__(self, journal: Journal, codec: EventCodec) -> None:
        """Write to and read from `journal`; whoever opened it closes it."""
        self._journal = journal
        self._codec = codec

    def append(
        self, stream: str, events: Sequence[NewEvent], *, expected: int
    ) -> Appended:
        """As `EventStore.append`, and as `EventCodec.encode` refuses."""
        raw = [self._codec.encode(stream, event) for event in events]
        return self._journal.append(stream, raw, expected=expected)

    def read(self, stream: str, *, after: int = NO_STREAM) -> Iterator[Recorded]:
        """As `EventStore.read`, and as `EventCodec.decode` refuses."""
        return map(self._codec.decode, self._journal.read(stream, after=after))

    def read_all(self, after: int = 0, limit: int = PAGE) -> Sequence[Recorded]:
        """As `EventStore.read_all`, and as `EventCodec.decode` refuses."""
        return [self._codec.decode(raw) for raw in self._journal.read_all(after, limit)]

    def wait(self, after: int, timeout: float) -> bool:
        """As `EventStore.wait`."""
        return self._journal.wait(after, timeout)
