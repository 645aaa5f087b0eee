"""Codes put into plain words: statuses, checks, reasons, events. Catalogues only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from services.envelope.api import MessageRow
from shared.web.words import moment, weekday

STATES: Final[Mapping[str, str]] = {  # status of a message -> its chip
    "lapsed_unread": "lapsed",
    "expired": "viewed",
}

MEANS: Final[Mapping[str, str]] = {
    "family_name": "family name",
    "postcode": "postcode",
    "birth_date": "date of birth",
    "customer_reference": "customer reference",
    "request_number": "request number",
    "code": "one-time code",
    "signed_in": "signed in",
}

CHECKS: Final[Mapping[str, str]] = {
    "family_name": "The recipient types their family name.",
    "postcode": "The recipient types their postcode, which is on file.",
    "birth_date": "The recipient types their date of birth, which is on file.",
    "customer_reference": (
        "The recipient types their customer reference, which is on file."
    ),
    "request_number": "The recipient types the number of the request they made.",
    "code": (
        "No known fact is on file, so we mail a one-time code to this address. "
        "It lasts 10 minutes."
    ),
}

CLASSES: Final[Mapping[str, str]] = {
    "open": "Open: the family name opens it",
    "private": "Private: a known fact or a one-time code opens it",
    "secret": "Secret: only signing in opens it",
}

KINDS: Final[Mapping[str, str]] = {
    "note": "Note, to read",
    "task": "Task, asks for something to be done",
    "workflow": "Workflow, a request with a status",
}

CONTACT_KINDS: Final[Mapping[str, str]] = {
    "customer": "Customer",
    "supplier": "Supplier",
    "staff": "Staff",
}

PURPOSES: Final[Mapping[str, str]] = {
    "service": "Service: needed for what the person has with us",
    "marketing": "Marketing: promotes something",
}

STOPS: Final[Mapping[str, str]] = {
    "marketing": "No marketing",
    "messages": "No e-mail or text envelopes",
    "all": "No contact at all",
}

WARNINGS: Final[Mapping[str, str]] = {
    "look_alike": (
        "Another contact has a name that is easily mistaken for this one. "
        "Make sure this is the right person."
    ),
    "address_changed": "The e-mail address of this contact was changed lately.",
    "sent_lately": (
        "The same page with the same record was sent to this contact within the "
        "last 24 hours."
    ),
}

REASONS: Final[Mapping[str, str]] = {  # why an envelope is switched off
    "wrong_person": "It went to the wrong person",
    "wrong_letter": "It is the wrong letter or the wrong record",
    "mistake_in_letter": "The letter contains a mistake",
    "asked_by_recipient": "The recipient asked for it",
    "no_longer_needed": "It is no longer needed",
    "other": "Another reason",
}

FAILURES: Final[Mapping[str, str]] = {  # why an envelope was not delivered
    "rejected": "The mail system of the recipient refused it for good.",
    "contact_stopped": "The contact has asked not to be written to.",
    "contact_erased": "The contact was erased.",
    "expired": "It could not be handed over before it expired.",
    "disabled": "It was switched off before it left.",
    "cancelled": "The sending was undone before it left.",
    "unreachable": "The mail relay could not be reached.",
    "unconfirmed": (
        "We can't tell whether the message arrived. Phone the person, or send a fresh "
        "link: it takes the place of this one."
    ),
    "no_reply": "The mail relay did not say whether it took the message.",
    "cut_off": "We were cut off before we heard whether the mail relay took it.",
    "store_unavailable": "We could not write down that it would leave, so it waited.",
}

ROLES: Final[Mapping[str, str]] = {
    "sender": "Sender: finds contacts and sends letters",
    "author": "Author: writes letters",
    "executive": "Executive: approves letters written by others",
    "compliance": "Compliance officer: reads the evidence",
    "admin": "Administrator: looks after staff and the organisation",
}

EVENTS: Final[Mapping[str, str]] = {
    "ContactCreated": "Contact entered",
    "ContactChanged": "Contact's details changed",
    "ContactStopped": "Choice recorded: stop",
    "ContactStopLifted": "Choice recorded: stop lifted",
    "ContactForgotten": "Contact erased",
    "ContactKeysDestroyed": "Keys of an erased contact destroyed",
    "AddressSuppressed": "Address kept from being used again",
    "SendPermitted": "Checked against the contact's choices: may be sent",
    "CodeIssued": "One-time code made",
    "CodeAccepted": "One-time code accepted",
    "CodeRejected": "Wrong one-time code",
    "LetterDrafted": "Letter drafted",
    "LetterSubmitted": "Letter submitted for approval",
    "LetterApproved": "Letter approved",
    "LetterReturned": "Letter returned to its author",
    "LetterWithdrawn": "Page withdrawn: no new sends",
    "LetterIssued": "Letter merged for this contact",
    "RecordSaved": "Request recorded",
    "OrganisationDescribed": "Organisation described",
    "EnvelopeSent": "Accepted and sealed",
    "EnvelopeCancelled": "Sending undone; nothing left",
    "LetterConsigned": "Made ready to be read; too late to undo",
    "RelayAttempted": "Handing over to the mail relay",
    "EnvelopeRelayed": "Sent: the mail relay accepted it",
    "RelayDeferred": "Not confirmed yet: tried again later",
    "RelayFailed": "Not delivered",
    "RelayUnconfirmed": "We can't tell whether the message arrived",
    "LinkFetched": "Link opened (may be automatic)",
    "AnswerRejected": "Wrong answer at the door",
    "EnvelopeViewed": "Viewed: the letter was shown",
    "LetterShown": "The letter was shown again",
    "EnvelopeExpired": "The link expired",
    "EnvelopeExpiryChanged": "Expiry changed",
    "LinkRenewed": "Fresh link made; earlier links are dead",
    "LetterRecalled": "Letter recalled",
    "NoticeQueued": "One-time code on its way to the address on file",
    "NoticeAttempted": "Handing the one-time code to the mail relay",
    "NoticeEnded": "One-time code: outcome of its delivery",
    "Refused": "Refused",
    "StaffInvited": "Member of staff entered",
    "StaffAddressClaimed": "Sign-in address reserved",
    "RoleGranted": "Role granted",
    "RoleRevoked": "Role revoked",
    "PasswordSet": "Password chosen",
    "SignInLinkMade": "One-time sign-in link made",
    "StaffSignedIn": "Signed in",
    "StaffSignedOut": "Signed out",
}

OPERATIONS: Final[Mapping[str, str]] = {  # what was refused
    "send": "sending a letter",
    "preview": "previewing a letter",
    "approve": "approving a letter",
    "sign_in": "signing in",
    "open": "opening a letter",
    "create": "entering a contact",
    "change": "changing a contact",
    "set_expiry": "changing an expiry",
    "cancel": "undoing a sending",
    "renew": "sending a fresh link",
}

FIELD_TYPES: Final[Mapping[str, str]] = {
    "text": "Text of a few words",
    "choice": "One of several choices",
    "date": "Date",
    "money": "Amount of money",
    "address": "Address",
    "number": "Number",
    "quotation": "In the person's own words",
}


def chip_of(row: MessageRow) -> tuple[str, str]:
    """Return the state and the detail of a message's chip."""
    state = STATES.get(row.status, row.status)
    return state, "link expired" if row.status == "expired" else ""


def viewed(row: MessageRow) -> str:
    """Return e.g. "Wed 25 November 2026, 10:04 UTC · grade 3, postcode"; or ""."""
    if row.viewed_at is None:
        return ""
    return f"{moment(row.viewed_at)} · {grade(row.viewed_grade, row.viewed_means)}"


def grade(number: int | None, means: str | None) -> str:
    """Return e.g. "grade 3, postcode"."""
    told = f"grade {number}" if number is not None else "grade unknown"
    return f"{told}, {MEANS.get(means, means)}" if means else told


def until(at: datetime) -> str:
    """Return e.g. "until Wednesday 2 December 2026, 14:05 UTC"."""
    return f"until {weekday(at)}, {at:%H:%M} {at.tzname()}"


def initial(name: str) -> str:
    """Return the letter that marks a person; a question mark for who was erased."""
    words = name.split()
    return words[-1][:1].upper() if words else "?"
