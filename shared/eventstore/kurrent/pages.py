"""Reading from the cluster, page by page; a break costs only the rest again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kurrentdbclient.exceptions import (
    InvalidCommitPositionError,
    NotFoundError,
    StreamIsDeletedError,
    StreamTombstonedError,
)
from kurrentdbclient.streams import StreamsService

from shared.eventstore.kurrent.known import Ids, KnownIds
from shared.eventstore.kurrent.line import METADATA, Line
from shared.eventstore.kurrent.wire import incoming
from shared.eventstore.port import PAGE, CorruptRecord, RawRecord

OWN: Final = (r"\$.*",)  # the server's own streams, left out by it
GONE: Final = (StreamIsDeletedError, StreamTombstonedError)


class Pages:
    """Reads streams and all streams over one line; tells `known` of every id."""

    def __init__(self, line: Line, known: KnownIds) -> None:
        """Read over `line`."""
        self._line = line
        self._known = known

    def stream(self, stream: str, after: int, limit: int) -> Sequence[RawRecord]:
        """Return up to `limit` facts of a stream later than version `after`.

        Raises:
            CorruptRecord: an event is not what was written, or one is missing.
            StoreUnavailable: no answer in time.
        """
        records: list[RawRecord] = []

        def more(streams: StreamsService, left: float) -> None:
            with streams.read(
                stream_name=stream,
                stream_position=after + 1 + len(records),
                limit=limit - len(records),
                timeout=left,
                metadata=METADATA,
            ) as found:
                for each in found:
                    record, version = incoming(each), after + 1 + len(records)
                    if record.version != version:
                        message = f"version {version} of {stream} is missing"
                        raise CorruptRecord(message)
                    records.append(record)

        try:
            self._line.call(more)
        except NotFoundError:
            return []
        except GONE:
            raise deleted(stream) from None
        self._note(self._known.of(stream), records)
        return records

    def at(self, stream: str, version: int) -> RawRecord:
        """Return the fact that must stand there; raises as `stream`."""
        page = self.stream(stream, version - 1, 1)
        if not page:
            message = f"version {version} of {stream} is missing"
            raise CorruptRecord(message)
        return page[0]

    def ids(self, stream: str, *, upto: int | None = None) -> Ids:
        """Return the ids of a stream to version `upto` at least, or to its end.

        Reads what is not known yet; raises as `stream`.
        """
        known = self._known.of(stream)
        while upto is None or known.version < upto:
            limit = PAGE if upto is None else min(PAGE, upto - known.version)
            page = self.stream(stream, known.version, limit)
            self._note(known, page)  # ours, even if it was forgotten meanwhile
            if len(page) < limit:
                break
        return known

    def _note(self, known: Ids, records: Sequence[RawRecord]) -> None:
        if records:
            ids = [record.event_id for record in records]
            self._known.note(known, records[0].version, ids)

    def all(self, after: int, limit: int) -> Sequence[RawRecord]:
        """Return up to `limit` facts later than `after`.

        The server reads on only from where something stands. So `after` is 0, the
        position of a fact, or one less: for who wants the fact at a position.

        Raises:
            CorruptRecord: an event is not what was written, or none stands there.
            StoreUnavailable: no answer in time.
        """
        records: list[RawRecord] = []
        start = after

        def more(streams: StreamsService, left: float) -> None:
            last = records[-1].position if records else after
            with streams.read(  # from there on, itself included
                commit_position=max(last, start) or None,
                filter_exclude=OWN,
                filter_by_stream_name=True,
                limit=limit - len(records) + 1,
                timeout=left,
                metadata=METADATA,
            ) as found:
                for each in found:
                    if len(records) < limit and each.commit_position > last:
                        records.append(incoming(each))
                        last = each.commit_position

        try:
            if limit > 0:
                try:
                    self._line.call(more)
                except InvalidCommitPositionError:
                    start = after + 1
                    self._line.call(more)
        except InvalidCommitPositionError:
            message = f"position {after} is not one of this store"
            raise CorruptRecord(message) from None
        return records

    def head(self) -> int:
        """Return the position of the last fact, 0 if there is none.

        Raises:
            StoreUnavailable: no answer in time.
        """

        def last(streams: StreamsService, left: float) -> int:
            with streams.read(
                backwards=True,
                filter_exclude=OWN,
                filter_by_stream_name=True,
                limit=1,
                timeout=left,
                metadata=METADATA,
            ) as found:
                return next((each.commit_position for each in found), 0)

        return self._line.call(last)


def deleted(stream: str) -> CorruptRecord:
    """Return what to raise of a stream that somebody deleted: facts are for ever."""
    return CorruptRecord(f"{stream} was deleted on the server")
