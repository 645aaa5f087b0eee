"""Every operation the evidence service offers, and the views it answers with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.audit.commands import GetTimeline, GetTrail, SealIdentity
from shared.context import CallContext


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailLine:
    """One fact on the trail. Complete enough to become a leaf of the evidence log."""

    position: int
    event_id: str
    event: str  # wire name
    schema: int
    etsi: str | None  # ETSI EN 319 522-1 event name
    at: datetime
    contact: str | None
    envelope: str | None
    actor: str
    actor_kind: str
    role: str
    reason: str | None  # also the code of a refusal
    grade: int | None
    means: str | None  # what the grade rests on, e.g. postcode
    page: str | None
    revision: int | None
    letter_hash: str | None
    rendition: str | None  # salted commitment of the rendition
    digest: str  # SHA-256 of the stored, sealed body
    contact_seq: int | None  # place among that contact's facts, from 1, no gaps
    detail: str | None  # operation refused, attempt number, date set, and the like


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """Lines of the trail, and whether there are more."""

    lines: tuple[TrailLine, ...]
    more: bool = False
    fresh: bool = True


class AuditApi(Protocol):
    """Operations of the evidence service."""

    def seal_identity(self, request: SealIdentity, context: CallContext) -> bytes:
        """Return name and address sealed; only two officers together open them."""
        ...

    def timeline(self, request: GetTimeline, context: CallContext) -> Trail:
        """Return one envelope's facts. Raises TrailUnknown."""
        ...

    def trail(self, request: GetTrail, context: CallContext) -> Trail:
        """Return the trail, filtered."""
        ...
