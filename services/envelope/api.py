"""Every operation the envelope service offers, and the views it answers with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.audit.api import TrailLine
from services.envelope.commands import (
    AskCode,
    AskFresh,
    CancelSend,
    DescribeOrganisation,
    GetAttention,
    GetChoices,
    GetMessage,
    GetMessages,
    GetOrganisation,
    GetRecentPages,
    Knock,
    OpenEnvelope,
    PreviewSend,
    ReadLetter,
    RenewLink,
    SendLetter,
    SetChoice,
    SetExpiry,
)
from shared.context import CallContext, Done


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """Who the organisation is. All fields are empty until it is described."""

    name: str = ""
    registered_number: str = ""
    registered_office: str = ""
    help_phone: str = ""
    sender_domain: str = ""
    privacy_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPreview:
    """What the send page shows beside its two fields, and what stands in the way."""

    formal_name: str
    masked_email: str
    title: str
    kind: str
    record_summary: str
    html: str  # the merged letter, a safe fragment
    letter_class: str
    check: str  # how the recipient will be checked, as in EnvelopeSent.check
    expires_at: datetime
    warnings: tuple[str, ...]  # codes: look_alike, address_changed, sent_lately


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A sending was accepted."""

    position: int
    envelope_id: str
    reference: str  # short, to say on the phone: "4821-7730"
    expires_at: datetime
    release_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the holder of a link is told before the letter is shown."""

    state: str  # open, expired, disabled, replaced, cancelled, erased, locked, unknown
    organisation: Organisation
    initials: str = ""
    check: str = ""  # what will be asked; "" unless open or locked
    expires_at: datetime | None = None
    since: datetime | None = None  # when the present state began
    viewed_at: datetime | None = None  # first showing, told to holders of dead links
    reference: str = ""
    can_renew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Opens one letter in one browser until `expires_at`."""

    ticket: str
    envelope_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter as it is shown. `html` is the sealed rendition, unchanged."""

    envelope_id: str
    contact_id: str
    title: str
    html: str
    kind: str
    formal_name: str
    sender_name: str
    page: str
    revision: int
    approved_at: datetime | None
    accepted_at: datetime
    expires_at: datetime
    reference: str
    letter_hash: str
    organisation: Organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a ticket gives a right to see; no letter bytes."""

    envelope_id: str
    reference: str
    organisation: Organisation
    trail: tuple[TrailLine, ...] = ()  # of this envelope, oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Which stops stand for the holder of a choices link."""

    state: str  # open or unknown
    organisation: Organisation
    stops: tuple[str, ...] = ()
    masked_email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """One line of a message list."""

    envelope_id: str
    contact_id: str
    formal_name: str  # "" once erased
    title: str
    kind: str
    page: str
    revision: int
    record: str
    sender_name: str
    sender_id: str
    reference: str
    status: str  # accepted, cancelled, sent, not_delivered, unconfirmed, link_opened,
    #              viewed, lapsed_unread, expired, disabled, recalled, renewed or erased
    accepted_at: datetime
    relayed_at: datetime | None
    fetched_at: datetime | None
    viewed_at: datetime | None
    viewed_grade: int | None
    viewed_means: str | None
    expires_at: datetime
    position: int  # of EnvelopeSent; pages on


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageList:
    """A contact's messages, and whether there are more."""

    rows: tuple[MessageRow, ...]
    more: bool
    fresh: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One message as staff see it; never the letter's text."""

    row: MessageRow
    letter_class: str
    purpose: str
    check: str
    release_at: datetime
    can_cancel: bool
    failure: str | None  # reason in plain code, if not delivered; or "unconfirmed"
    wrong_answers: int
    letter_hash: str
    rendition: str
    fresh: bool = True


class EnvelopeApi(Protocol):
    """Operations of the envelope service."""

    def describe(self, request: DescribeOrganisation, context: CallContext) -> Done:
        """Describe the organisation. Raises OrganisationInvalid."""
        ...

    def organisation(
        self, request: GetOrganisation, context: CallContext
    ) -> Organisation:
        """Return who the organisation is."""
        ...

    def preview(self, request: PreviewSend, context: CallContext) -> SendPreview:
        """Show what `send` would do; raises what it would raise, writes nothing."""
        ...

    def send(self, request: SendLetter, context: CallContext) -> Sent:
        """Accept and seal one letter for one contact; repeatable by command id.

        Raises NotANamedPerson, ExpiryTooLate, FactMissing, SenderLimit,
        OrganisationMissing, and what `CrmApi.recipient` and `LettersApi.issue` raise.
        """
        ...

    def cancel(self, request: CancelSend, context: CallContext) -> Done:
        """Undo. Raises EnvelopeUnknown, TooLateToCancel."""
        ...

    def set_expiry(self, request: SetExpiry, context: CallContext) -> Done:
        """Shorten or end the envelope's life. Raises ExpiryInvalid, ExpiryTooLate."""
        ...

    def renew(self, request: RenewLink, context: CallContext) -> Done:
        """Send a fresh link, old ones die. Raises EnvelopeUnknown, RenewalRefused."""
        ...

    def knock(self, request: Knock, context: CallContext) -> Door:
        """Tell the door's state; records at most one coalesced LinkFetched."""
        ...

    def ask_code(self, request: AskCode, context: CallContext) -> Done:
        """Mail a one-time code. Raises as the door is shut, CodeLocked."""
        ...

    def ask_fresh(self, request: AskFresh, context: CallContext) -> Done:
        """Send a fresh envelope to the address on file. Raises RenewalRefused."""
        ...

    def open(self, request: OpenEnvelope, context: CallContext) -> Ticket:
        """Judge the answer, record the view, hand out a ticket.

        Raises AnswerMissing, AnswerWrong, DoorLocked, and as the door is shut.
        """
        ...

    def read(self, request: ReadLetter, context: CallContext) -> Letter:
        """Return the letter after its evidence is durable. Raises TicketInvalid."""
        ...

    def held(self, request: ReadLetter, context: CallContext) -> Held:
        """Return which envelope a ticket opens, and what happened to it.

        The letter is not shown. Raises as `read`.
        """
        ...

    def choices(self, request: GetChoices, context: CallContext) -> Choices:
        """Return the stops that stand."""
        ...

    def choose(self, request: SetChoice, context: CallContext) -> Done:
        """Set or lift a stop by link. Raises EnvelopeUnknown."""
        ...

    def messages(self, request: GetMessages, context: CallContext) -> MessageList:
        """Return a contact's message list."""
        ...

    def message(self, request: GetMessage, context: CallContext) -> MessageView:
        """Return one message. Raises EnvelopeUnknown."""
        ...

    def recent_pages(
        self, request: GetRecentPages, context: CallContext
    ) -> tuple[str, ...]:
        """Return up to ten page numbers this member of staff sent last."""
        ...

    def attention(self, request: GetAttention, context: CallContext) -> MessageList:
        """Return messages that need somebody."""
        ...
