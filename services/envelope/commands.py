"""What may be asked of the envelope service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeOrganisation:
    """Say who the organisation is."""

    name: str
    registered_number: str
    registered_office: str
    help_phone: str
    sender_domain: str
    privacy_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOrganisation:
    """Ask who the organisation is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLetter:
    """Send one letter to one contact. There is no list and no copy."""

    contact_id: str
    page: str
    record: str | None = None
    sender_name: str  # formal name of the acting member of staff
    expires_at: datetime | None = None  # None: 7 days from now


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewSend:
    """Ask what sending would do, with every refusal it would meet; write nothing."""

    contact_id: str
    page: str
    record: str | None = None
    sender_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSend:
    """Undo a sending inside the undo window."""

    envelope_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetExpiry:
    """Set the expiry to any earlier moment; one in the past disables at once."""

    envelope_id: str
    expires_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewLink:
    """Send one fresh envelope to the address on file, as staff."""

    envelope_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """Somebody, or some machine, fetched the link."""

    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskCode:
    """Mail a one-time code to the address on file, for this browser."""

    token: str
    browser: str  # the browser-binding secret of the viewer's cookie


@dataclass(frozen=True, slots=True, kw_only=True)
class AskFresh:
    """Whoever holds a genuine link, even a dead one, asks for a fresh envelope."""

    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEnvelope:
    """Show the letter to whoever holds the link and gives the answer."""

    token: str
    browser: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLetter:
    """Show the letter that a ticket opened."""

    ticket: str
    browser: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetChoice:
    """Set or lift one of the contact's three stops, by the link in an envelope."""

    token: str
    stop: str
    stopped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GetChoices:
    """Ask which stops stand, by the choices link in an envelope."""

    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetMessages:
    """Ask for a contact's message list, newest first."""

    contact_id: str
    limit: int = 50
    before: int = 0  # position to page on from; 0 starts at the newest
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GetMessage:
    """Ask for one message."""

    envelope_id: str
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GetRecentPages:
    """Ask which pages this member of staff sent last, newest first, at most ten."""

    actor_id: str
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAttention:
    """Ask for messages that need somebody: not delivered, or lapsing unread."""

    limit: int = 20
    after: int = 0
