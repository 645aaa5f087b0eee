"""The event store as the rest of the code sees it, and as its adapters see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from msgspec import Struct

from shared.errors import DomainError, Fault
from shared.events import NewEvent, Recorded

NO_STREAM: Final = -1
PAGE: Final = 1000  # records a follower reads at a time


class WrongVersion(DomainError):
    """Someone else wrote to the stream first; reload, decide again, append again."""

    code = "wrong_version"


class StoreUnavailable(Fault):
    """The event store could not be read or written.

    On a disk nothing was written; a server may have written before it fell silent. A
    repeat with the same ids settles it.
    """


class CorruptRecord(Fault):
    """A stored record cannot be what was written; the message names it (I12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Where a batch came to rest: version and position of its last event."""

    version: int
    position: int
    fresh: bool = field(default=False, compare=False)
    """This very call wrote the batch, its positions without a gap; else not known."""


class EventStore(Protocol):
    """Append-only streams of facts, each with optimistic concurrency."""

    def append(
        self, stream: str, events: Sequence[NewEvent], *, expected: int
    ) -> Appended:
        """Write `events` as one atomic batch, durably, and say where.

        `expected` is the version of the stream's last event, `NO_STREAM` if none. A
        repeat with the same ids returns the first answer.

        Raises:
            WrongVersion: the stream is not at `expected`. Nothing was written.
            StoreUnavailable: the disk or the server failed; repeat with the same ids.
        """
        ...

    def read(self, stream: str, *, after: int = NO_STREAM) -> Iterator[Recorded]:
        """Yield the stream's facts later than version `after`, oldest first."""
        ...

    def read_all(self, after: int = 0, limit: int = PAGE) -> Sequence[Recorded]:
        """Return up to `limit` facts of all streams with position > `after`, in order.

        A reader checkpointed at p never misses a fact that commits later.
        """
        ...

    def wait(self, after: int, timeout: float) -> bool:
        """Block until there is a fact later than `after`; False after `timeout` s."""
        ...


class RawEvent(Struct, frozen=True, kw_only=True, gc=False):
    """An encoded fact: body and meta are JSON, personal values in it are sealed."""

    event_id: UUID
    type_name: str
    schema: int
    body: bytes
    meta: bytes


class RawRecord(RawEvent, frozen=True, kw_only=True, gc=False):
    """An encoded fact with its place."""

    stream: str
    version: int
    position: int


class Journal(Protocol):
    """What an adapter provides: the promises of `EventStore`, over encoded facts."""

    def append(
        self, stream: str, events: Sequence[RawEvent], *, expected: int
    ) -> Appended:
        """As `EventStore.append`."""
        ...

    def read(self, stream: str, *, after: int = NO_STREAM) -> Iterator[RawRecord]:
        """As `EventStore.read`."""
        ...

    def read_all(self, after: int, limit: int) -> Sequence[RawRecord]:
        """As `EventStore.read_all`."""
        ...

    def wait(self, after: int, timeout: float) -> bool:
        """As `EventStore.wait`."""
        ...

    def close(self) -> None:
        """Finish what was accepted, then let go of files and connections."""
        ...
