"""Encoded facts as events of the server, and back, byte for byte.

The body is the event's data. Schema version and a checksum stand first in its metadata,
before the fact's own, so that type names stay the facts' names and altered events are
found. Positions are not covered: the server gives them.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from kurrentdbclient.events import NewEvent, RecordedEvent

from shared.eventstore.port import CorruptRecord, RawEvent, RawRecord

_HEAD: Final = re.compile(rb'\{"schema":([0-9]{1,9}),"seal":"([0-9a-f]{16})"(,|\}$)')


def outgoing(event: RawEvent, stream: str, version: int) -> NewEvent:
    """Return `event` as the server keeps it at `version` of `stream`.

    Raises:
        ValueError: meta is not a compact JSON object, or the type is a system's.
    """
    if event.type_name.startswith("$") or not event.type_name:
        raise ValueError("event types starting with $ belong to the server")
    if event.meta != b"{}" and not event.meta.startswith(b'{"'):
        raise ValueError("metadata is not a compact JSON object")
    own = b"}" if event.meta == b"{}" else b"," + event.meta[1:]
    seal = _checksum(event, stream, version).encode()
    return NewEvent(
        id=event.event_id,
        type=event.type_name,
        data=event.body,
        metadata=b'{"schema":%d,"seal":"%s"%s' % (event.schema, seal, own),
        content_type="application/json",
    )


def incoming(found: RecordedEvent) -> RawRecord:
    """Return what was appended, with its place.

    Raises:
        CorruptRecord: the event is not what this program wrote there.
    """
    head = _HEAD.match(found.metadata)
    if head:
        rest = found.metadata[head.end() :]
        record = RawRecord(
            event_id=found.id,
            type_name=found.type,
            schema=int(head[1]),
            body=found.data,
            meta=b"{" + rest if head[3] == b"," else b"{}",
            stream=found.stream_name,
            version=found.stream_position,
            position=found.commit_position,
        )
        if _checksum(record, record.stream, record.version).encode() == head[2]:
            return record
    message = f"position {found.commit_position} in {found.stream_name} was altered"
    raise CorruptRecord(message)


def _checksum(event: RawEvent, stream: str, version: int) -> str:
    """Return 64 bits in hex over an event. Finds accidents, not forgers."""
    head = (
        f"{version} {event.event_id.hex} {event.schema} "
        f"{len(event.body)} {event.type_name} {stream} "
    )
    digest = hashlib.blake2b(head.encode(), digest_size=8)
    digest.update(event.body)
    digest.update(event.meta)
    return digest.hexdigest()
