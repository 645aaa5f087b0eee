"""What may be asked of the evidence service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SealIdentity:
    """Seal who the recipient was, under the evidence-identity key of the contact."""

    contact_id: str
    envelope_id: str
    formal_name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetTimeline:
    """Ask what happened to one envelope, oldest first."""

    envelope_id: str
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GetTrail:
    """Ask for the trail of a contact, or of everything, newest first.

    `before` is the position to page on from; 0 starts at the newest.
    """

    contact_id: str | None = None
    type_name: str | None = None
    before: int = 0
    limit: int = 100
    after: int = 0
