"""What the envelope service needs from outside, and from its own read models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from services.envelope.api import MessageList, MessageView, Organisation
from services.envelope.commands import GetAttention, GetMessage, GetMessages


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeMail:
    """All that an envelope may say. Nothing of the letter is here to slip out."""

    message_id: str  # local part; the same for every attempt with this link
    organisation: Organisation
    sender_name: str
    formal_name: str
    email: str
    reference: str
    check: str
    link: str  # the one letter link
    choices: str
    viewer: str  # the address to type by hand
    expires_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeNotice:
    """A one-time code on its way. `code` exists in memory only."""

    message_id: str
    organisation: Organisation
    formal_name: str
    email: str
    code: str = field(repr=False)
    expires_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One mail for one address, as it goes over the wire: ASCII lines, CRLF."""

    sender: str
    recipient: str = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayAnswer:
    """What became of a parcel.

    `reason` is "no_reply" if the relay had all of it and did not answer: it may have
    been accepted.
    """

    outcome: Literal["accepted", "deferred", "rejected"]
    reason: str = ""
    code: int | None = None
    tls: bool = False


class Composer(Protocol):
    """Writes the mails of the closed list."""

    def envelope(self, mail: EnvelopeMail) -> Parcel:
        """Write an envelope. Raises MailUnsafe rather than send what it should not."""
        ...

    def code(self, notice: CodeNotice) -> Parcel:
        """Write the mail with a one-time code. Raises MailUnsafe."""
        ...


class Relay(Protocol):
    """Hands parcels to the mail relay."""

    def deliver(self, parcel: Parcel) -> RelayAnswer:
        """Hand over one parcel to one recipient, within a deadline.

        Every failure of the network or the relay is an answer, not an error.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """What a token stands for."""

    envelope_id: str
    contact_id: str
    generation: int
    purpose: str  # letter or choices


class LinkLookup(Protocol):
    """Finds what a token stands for, by its SHA-256."""

    def find(self, token_hash: str) -> LinkRow | None:
        """Return the row, or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """Something that may be due. The stream decides whether it is."""

    item_id: str
    kind: str  # envelope or notice
    position: int


class Outbox(Protocol):
    """What may have to be mailed: ids and times only."""

    def due(self, now: datetime, limit: int) -> Sequence[OutboxRow]:
        """Return rows due at `now`, longest due first."""
        ...

    def links_known(self, position: int) -> bool:
        """Say whether links made up to `position` are found by their tokens."""
        ...


class Lists(Protocol):
    """The message lists."""

    def messages(self, request: GetMessages) -> MessageList:
        """As `EnvelopeApi.messages`."""
        ...

    def message(self, request: GetMessage) -> MessageView:
        """As `EnvelopeApi.message`."""
        ...

    def recent_pages(self, actor_id: str, after: int) -> tuple[str, ...]:
        """As `EnvelopeApi.recent_pages`."""
        ...

    def attention(self, request: GetAttention) -> MessageList:
        """As `EnvelopeApi.attention`."""
        ...

    def sent_since(
        self, contact_id: str, page: str, record: str, since: datetime
    ) -> bool:
        """Say whether this page with this record went to the contact since then."""
        ...

    def expired(self, now: datetime, limit: int) -> Sequence[str]:
        """Return envelopes whose life is over and whose end is not recorded."""
        ...

    def blobs_of(self, contact_id: str, position: int) -> Sequence[str] | None:
        """Return the contact's blobs; None if facts up to `position` may be missing."""
        ...


class Counters(Protocol):
    """Operational counts, durable and not rebuilt."""

    def sendings(self, actor_id: str, since: datetime) -> int:
        """Return how many letters this person sent since then."""
        ...

    def claim_sending(
        self,
        actor_id: str,
        command_id: UUID,
        at: datetime,
        *,
        since: datetime,
        most: int,
    ) -> bool:
        """Count one sending; False if `most` are counted since then already.

        The same command is counted once.
        """
        ...

    def first_reading(self, opening_id: UUID, command_id: UUID, at: datetime) -> bool:
        """Record durably that a ticket is read; True for its first reading only.

        The same command gets the same answer.
        """
        ...
