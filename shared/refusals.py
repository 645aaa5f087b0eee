"""Refusals and destroyed keys: the facts that every service records alike."""

from __future__ import annotations

from dataclasses import dataclass

from shared.events import Event, fact


@fact(
    etsi=lambda event: "SubmissionRejection" if event.operation == "send" else None,
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Event):
    """A request was refused by a rule of the business."""

    operation: str
    reason: str  # the error's code
    contact_id: str | None = None
    envelope_id: str | None = None
    page: str | None = None


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactKeysDestroyed(Event):
    """A service destroyed every key it held for a contact."""

    contact_id: str
    service: str
