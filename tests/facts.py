"""Sample facts for tests; they belong to no service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.events import Event, Private, fact, upcast


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class ThingMade(Event):
    """A thing came to be."""

    thing_id: str
    size: int = 0


@fact(personal=("name",), confidential=("note",), etsi="SubmissionAcceptance")
@dataclass(frozen=True, slots=True, kw_only=True)
class ThingNamed(Event):
    """A thing got the name of a person."""

    thing_id: str
    contact_id: str
    name: Private
    note: Private | None = None


@fact(version=3)
@dataclass(frozen=True, slots=True, kw_only=True)
class ThingMoved(Event):
    """A thing went from one place to another; in v1 only the place was told."""

    thing_id: str
    place: str
    reason: str
    moved_at: datetime
    due_at: datetime | None = None


@upcast("ThingMoved", 1)
def _moved_for_a_reason(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "reason": "unknown"}


@upcast("ThingMoved", 2)
def _moved_at_a_time(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "moved_at": fields.get("moved_at", 0)}
