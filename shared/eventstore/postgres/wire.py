"""Encoded facts as columns of the server's binary protocol, and back, byte for byte."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from psycopg.pq.abc import PGresult

from shared.eventstore.folding import Ask
from shared.eventstore.port import CorruptRecord, RawEvent, RawRecord

_ARRAY: Final = struct.Struct(">iiIii")  # dimensions, nulls, type, length, first index
_SIGNED: Final = struct.Struct(">q")
_TYPES: Final = (25, 20, 23, 2950, 25, 23, 17, 17, 20)  # of the arguments of append
_BLANK: Final = hashlib.blake2b(digest_size=8)
int4: Final = struct.Struct(">i").pack
int8: Final = _SIGNED.pack


class Parcel(Ask):
    """An append with its events as columns, made in the caller's thread."""

    __slots__ = ("count", "fields", "until")

    def __init__(
        self, stream: str, events: Sequence[RawEvent], expected: int, until: float
    ) -> None:
        """Ask for `events` at the end of `stream`; give up at `until` (monotonic).

        Raises:
            ValueError: a name or a number is none that the server can keep.
        """
        super().__init__(stream, events, expected)
        self.until = until
        self.count = len(events)
        try:
            self.fields = (
                [_text(stream)],
                [int8(expected)],
                [int4(self.count)],
                [event.event_id.bytes for event in events],
                [_text(event.type_name) for event in events],
                [int4(event.schema) for event in events],
                [event.body for event in events],
                [event.meta for event in events],
                [
                    int8(_checksum(event, stream, version))
                    for version, event in enumerate(events, expected + 1)
                ],
            )
        except struct.error:
            raise ValueError("a number beyond what the store can keep") from None


def one(parcel: Parcel) -> list[bytes]:
    """Return the arguments of `letterlock.append_one` for a single event."""
    (stream, expected, _, *columns) = parcel.fields
    return [*stream, *expected, *(column[0] for column in columns)]


def many(parcels: Sequence[Parcel]) -> list[bytes]:
    """Return the arguments of `letterlock.append`: arrays."""
    return [
        _array(kind, [item for parcel in parcels for item in parcel.fields[at]])
        for at, kind in enumerate(_TYPES)
    ]


def _array(kind: int, items: Sequence[bytes]) -> bytes:
    parts = [_ARRAY.pack(1, 0, kind, len(items), 1)]
    for item in items:
        parts += (int4(len(item)), item)
    return b"".join(parts)


def number(found: bytes | None) -> int:
    """Return an integer of the server, of any size."""
    return int.from_bytes(found or b"", "big", signed=True)


def records(found: PGresult) -> list[RawRecord]:
    """Return rows as records, each checked: their fields in order, then the seal.

    Raises:
        CorruptRecord: one is not what was written; the message names the first.
    """
    value = found.get_value
    return [
        _record(*[value(row, column) or b"" for column in range(9)])
        for row in range(found.ntuples)
    ]


def _record(
    event_id: bytes,
    type_name: bytes,
    schema: bytes,
    body: bytes,
    meta: bytes,
    stream: bytes,
    version: bytes,
    position: bytes,
    seal: bytes,
) -> RawRecord:
    record = RawRecord(
        event_id=UUID(bytes=event_id),
        type_name=type_name.decode(),
        schema=number(schema),
        body=body,
        meta=meta,
        stream=stream.decode(),
        version=number(version),
        position=number(position),
    )
    if _checksum(record, record.stream, record.version) ^ record.position != number(
        seal
    ):
        message = f"position {record.position} in {record.stream} was altered"
        raise CorruptRecord(message)
    return record


def _text(text: str) -> bytes:
    encoded = text.encode()
    if b"\0" in encoded:
        raise ValueError("a name with a zero character")
    return encoded


def _checksum(event: RawEvent, stream: str, version: int) -> int:
    """Return 64 bits over an event as a signed integer. Finds accidents, not forgers.

    The server mixes the position in, which is not known before.
    """
    head = (
        f"{version} {event.event_id.hex} {event.schema} "
        f"{len(event.body)} {event.type_name} {stream} "
    )
    digest = _BLANK.copy()
    digest.update(head.encode() + event.body + event.meta)
    seal: int = _SIGNED.unpack(digest.digest())[0]
    return seal
