"""What tests build from: contexts, clocks, facts, stores. All made up, all cheap."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.clock import ManualClock
from shared.codec import EventCodec, Sealer
from shared.context import CallContext
from shared.events import Event, NewEvent, meta_of
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.eventstore.port import RawEvent
from shared.ids import mint
from tests.facts import ThingMade

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def a_clock(at: datetime = NOON) -> ManualClock:
    """Return a clock that stands at noon."""
    return ManualClock(at)


def a_context(**changes: Any) -> CallContext:
    """Return the context of a fresh command by a member of staff."""
    context = CallContext(
        command_id=mint(),
        correlation_id=mint(),
        actor_id="5" * 32,
        actor_kind="staff",
        role="officer",
    )
    return replace(context, **changes)


def new(
    event: Event | None = None,
    *,
    context: CallContext | None = None,
    at: datetime = NOON,
    event_id: UUID | None = None,
) -> NewEvent:
    """Return a fact on its way in, with a fresh id."""
    event = event or ThingMade(thing_id="t1")
    return NewEvent(
        event_id=event_id or mint(),
        event=event,
        meta=meta_of(event, context or a_context(), at),
    )


def raw(event_id: UUID | None = None, *, size: int = 0) -> RawEvent:
    """Return an encoded fact with a fresh id; its body is `size` bytes longer."""
    encoded = EventCodec("thing").encode("thing.thing-1", new(event_id=event_id))
    if not size:
        return encoded
    body = b'{"thing_id":"' + b"x" * size + b'"}'
    return RawEvent(
        event_id=encoded.event_id,
        type_name=encoded.type_name,
        schema=encoded.schema,
        body=body,
        meta=encoded.meta,
    )


def a_store(service: str = "thing", sealer: Sealer | None = None) -> CodedStore:
    """Return an empty store in memory, as `service` sees it."""
    return CodedStore(MemoryJournal(), EventCodec(service, sealer))
