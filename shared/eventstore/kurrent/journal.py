"""The journal on a cluster of EventStoreDB or KurrentDB (gRPC, protocol v1).

Positions are the commit positions of the server's log: rising, with holes, the same in
a stream and in all streams. The leader alone is asked, so no reader overtakes a write.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from kurrentdbclient.events import NewEvent, StreamState
from kurrentdbclient.exceptions import (
    BadRequestError,
    InvalidArgumentError,
    MaximumAppendSizeExceededError,
    WrongCurrentVersionError,
)
from kurrentdbclient.streams import StreamsService

from shared.eventstore.kurrent.cluster import Cluster
from shared.eventstore.kurrent.known import KnownIds
from shared.eventstore.kurrent.line import METADATA, Line
from shared.eventstore.kurrent.pages import GONE, Pages, deleted
from shared.eventstore.kurrent.watch import Watch
from shared.eventstore.kurrent.wire import outgoing
from shared.eventstore.port import (
    NO_STREAM,
    PAGE,
    Appended,
    RawEvent,
    RawRecord,
    StoreUnavailable,
    WrongVersion,
)

TAKEN: Final = "an event id is already taken by another fact"
PATIENCE: Final = 5.0  # s a call may take, repeats included
_UNFIT: Final = (BadRequestError, InvalidArgumentError, MaximumAppendSizeExceededError)


class KurrentJournal:
    """Keeps encoded facts on the cluster; safe for threads, and for many processes.

    Narrower than the port in one point: an id is compared with those of its own stream,
    not of all streams, for the server keeps no index of ids.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        patience: float = PATIENCE,
        known: KnownIds | None = None,
    ) -> None:
        """Speak to `cluster`; connects at the first call, each `patience` s at most."""
        self._line = Line(cluster, patience)
        self._patience = patience
        self._known = known or KnownIds()
        self._pages = Pages(self._line, self._known)
        self._watch = Watch(self._line, self._pages.head)
        self._idle = threading.Condition()
        self._busy = 0
        self._closed = False

    def append(
        self, stream: str, events: Sequence[RawEvent], *, expected: int
    ) -> Appended:
        """As `EventStore.append`; the cluster holds it durably before it returns.

        Raises:
            WrongVersion: the stream is not at `expected`. Nothing was written.
            StoreUnavailable: no answer in time. Whether it was written is not known;
                a repeat with the same ids writes it once and returns the answer.
            ValueError: no events, an id that another fact of the stream has, a name
                that belongs to the server, or more bytes than it takes (1 MiB).
        """
        if not events:
            raise ValueError("a batch holds at least one event")
        if not stream or stream.startswith("$"):
            raise ValueError("streams starting with $ belong to the server")
        ids = [event.event_id for event in events]
        if len(set(ids)) < len(ids):
            raise ValueError(TAKEN)
        batch = [outgoing(e, stream, v) for v, e in enumerate(events, expected + 1)]
        with self._accepted():
            known = self._pages.ids(stream, upto=expected)
            if not known.among(ids):
                position = self._write(stream, batch, expected)
                if position is not None:
                    self._known.note(known, expected + 1, ids)
                    version = expected + len(ids)
                    position = position or self._pages.at(stream, version).position
                    return Appended(version=version, position=position)
            return self._first_answer(stream, batch, expected)

    def read(self, stream: str, *, after: int = NO_STREAM) -> Iterator[RawRecord]:
        """As `EventStore.read`.

        Raises:
            CorruptRecord: an event is not what was written, or one is missing.
            StoreUnavailable: no answer in time.
        """
        while True:
            page = self._pages.stream(stream, after, PAGE)
            for record in page:
                after += 1
                yield record
            if len(page) < PAGE:
                return

    def read_all(self, after: int, limit: int) -> Sequence[RawRecord]:
        """As `EventStore.read_all`; `after` is 0, a position read before, or one less.

        Raises:
            CorruptRecord: an event is not what was written, or `after` is no position
                of this store.
            StoreUnavailable: no answer in time.
        """
        return self._pages.all(after, limit)

    def wait(self, after: int, timeout: float) -> bool:
        """As `EventStore.wait`; other processes are noticed at once, or in a second.

        Raises:
            StoreUnavailable: no answer in time.
        """
        return self._watch.wait(after, timeout)

    def close(self) -> None:
        """Finish what was accepted, then hang up."""
        with self._idle:
            self._closed = True
            self._idle.wait_for(lambda: not self._busy, self._patience)
        self._watch.halt()
        self._line.close()
        self._watch.join()

    @contextmanager
    def _accepted(self) -> Iterator[None]:
        with self._idle:
            if self._closed:
                raise StoreUnavailable("the journal is closed")
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def _write(self, stream: str, batch: list[NewEvent], expected: int) -> int | None:
        """Return the position, 0 if the server does not tell; None on a mismatch."""

        def send(streams: StreamsService, left: float) -> int:
            return streams.batch_append(
                stream_name=stream,
                current_version=StreamState.NO_STREAM if expected < 0 else expected,
                events=batch,
                timeout=left,
                metadata=METADATA,
            )

        try:
            return self._line.call(send)
        except WrongCurrentVersionError:
            return None
        except _UNFIT as error:
            message = f"the event store does not take this: {type(error).__name__}"
            raise ValueError(message) from None
        except GONE:
            raise deleted(stream) from None

    def _first_answer(
        self, stream: str, batch: list[NewEvent], expected: int
    ) -> Appended:
        """Return the first answer if exactly these events were appended before."""
        known = self._pages.ids(stream)
        places = known.among([event.id for event in batch])
        versions = [places[event.id] for event in batch if event.id in places]
        if len(versions) == len(batch) and versions == list(
            range(versions[0], versions[0] + len(batch))
        ):
            last = self._pages.at(stream, versions[-1])
            return Appended(version=last.version, position=last.position)
        if versions and known.version == expected:
            raise ValueError(TAKEN)
        raise WrongVersion
