"""Facts about envelopes. Append-only file: add a version, never edit one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.events import Event, Private, fact


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationDescribed(Event):
    """Who the organisation is, as envelopes, doors and letters show it."""

    name: str
    registered_number: str
    registered_office: str
    help_phone: str
    sender_domain: str  # envelopes come from no-reply@<sender_domain>
    privacy_url: str


@fact(
    etsi="SubmissionAcceptance",
    personal=("title", "record", "formal_name", "family", "email", "sender_name"),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeSent(Event):
    """A letter was accepted and sealed for one contact; it leaves at `release_at`."""

    envelope_id: str
    contact_id: str
    page: str
    revision: int
    letter_hash: str
    kind: str  # note, task or workflow
    letter_class: str  # open, private or secret
    purpose: str  # service or marketing
    check: str  # family_name, postcode, birth_date, customer_reference,
    #             request_number or code
    blob: str  # SHA-256 of the sealed rendition, its name among the blobs
    rendition: str  # salted SHA-256 commitment of the rendition's plain bytes
    identity: str  # base64: name and address sealed by audit for two officers
    link_hash: str  # SHA-256 of the first letter link's token, 64 hex digits
    choices_hash: str  # SHA-256 of the choices link's token
    title: Private
    record: Private  # record key, "" if none
    formal_name: Private
    family: Private
    email: Private
    sender_name: Private
    approved_at: datetime | None
    expires_at: datetime
    release_at: datetime  # end of the undo window


@fact(etsi="SubmissionRejection")
@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeCancelled(Event):
    """The sender undid the sending inside the undo window; nothing left."""

    envelope_id: str
    contact_id: str


@fact(etsi="ContentConsignment")
@dataclass(frozen=True, slots=True, kw_only=True)
class LetterConsigned(Event):
    """The undo window is over: the letter can be read."""

    envelope_id: str
    contact_id: str


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class RelayAttempted(Event):
    """The envelope is about to be handed to the mail relay; written before DATA."""

    envelope_id: str
    contact_id: str
    generation: int  # of the link it carries
    attempt: int  # from 1
    permit: int  # position of the contact's SendPermitted
    repeat: bool  # True: the relay may have taken it at an earlier attempt


@fact(etsi="ConsignmentNotification")
@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeRelayed(Event):
    """The mail relay answered 250."""

    envelope_id: str
    contact_id: str
    generation: int
    attempt: int
    reply_code: int
    tls: bool


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class RelayDeferred(Event):
    """The mail relay did not confirm that it took it; it is tried again."""

    envelope_id: str
    contact_id: str
    generation: int
    attempt: int
    reason: str  # greylisted, unreachable, ...; no_reply: it may have been taken
    reply_code: int | None
    next_at: datetime


@fact(etsi="ConsignmentNotificationFailure")
@dataclass(frozen=True, slots=True, kw_only=True)
class RelayFailed(Event):
    """The envelope was not delivered and is not tried again."""

    envelope_id: str
    contact_id: str
    generation: int
    attempt: int
    reason: str  # rejected, contact_stopped, contact_erased, expired, ...
    reply_code: int | None


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class RelayUnconfirmed(Event):
    """Nobody can tell whether the mail relay took it; it is not tried again.

    Neither a delivery nor a failure is proven, so it has no ETSI name.
    """

    envelope_id: str
    contact_id: str
    generation: int
    attempt: int  # the last one
    reason: str  # why no other follows: no_reply, cut_off, or as in RelayFailed
    reply_code: int | None


@fact(etsi="NotificationAccessTracking")
@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFetched(Event):
    """The link was fetched, by whatever: it may have been automatic. Not a view."""

    envelope_id: str
    contact_id: str
    generation: int


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRejected(Event):
    """A wrong answer was given at the door."""

    envelope_id: str
    contact_id: str
    means: str


@fact(etsi="ContentHandover")
@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeViewed(Event):
    """The letter was shown for the first time, at grade 2 or better."""

    envelope_id: str
    contact_id: str
    grade: int  # 2 name typed, 3 known fact or code, 4 signed in
    means: str


@fact(etsi="ContentAccessTracking")
@dataclass(frozen=True, slots=True, kw_only=True)
class LetterShown(Event):
    """The letter was shown again."""

    envelope_id: str
    contact_id: str
    grade: int
    means: str


@fact(etsi=lambda event: None if event.viewed else "ContentHandoverFailure")
@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeExpired(Event):
    """The link's life ended by time."""

    envelope_id: str
    contact_id: str
    viewed: bool
    reason: str  # expired


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeExpiryChanged(Event):
    """The expiry was set anew; a date in the past disables the envelope at once.

    `expires_at` is the date that was set; the metadata's time is when it took effect.
    """

    envelope_id: str
    contact_id: str
    expires_at: datetime
    reason: str
    viewed_before: bool  # had the letter been shown when this took effect


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRenewed(Event):
    """A fresh link was made; every earlier link of this envelope is dead."""

    envelope_id: str
    contact_id: str
    generation: int  # of the new link, from 2
    expires_at: datetime
    asked_by: str  # recipient or staff
    link_hash: str  # SHA-256 of the new link's token, 64 hex digits


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeQueued(Event):
    """A content-free mail of the closed list is to be sent."""

    notice_id: str
    contact_id: str
    envelope_id: str
    kind: str  # code
    subject_ref: str  # e.g. the code's id
    expires_at: datetime


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeAttempted(Event):
    """The notice is about to be handed to the mail relay."""

    notice_id: str
    contact_id: str
    envelope_id: str
    attempt: int


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeEnded(Event):
    """The notice was relayed, or will not be."""

    notice_id: str
    contact_id: str
    envelope_id: str
    outcome: str  # relayed, failed or expired
