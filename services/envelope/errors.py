"""Why an envelope says no."""

from __future__ import annotations

from shared.errors import DomainError, Malformed, NotFound


class EnvelopeUnknown(NotFound):
    """There is no such envelope."""

    code = "envelope_unknown"


class EnvelopeExpired(DomainError):
    """The link's life is over. The evidence of it is not."""

    code = "envelope_expired"
    http_status = 410


class EnvelopeDisabled(DomainError):
    """The sender switched this link off."""

    code = "envelope_disabled"
    http_status = 410


class LinkReplaced(DomainError):
    """A newer link took the place of this one."""

    code = "link_replaced"
    http_status = 410


class EnvelopeCancelledEarlier(DomainError):
    """The sending was undone before it left."""

    code = "envelope_cancelled"
    http_status = 410


class TooLateToCancel(DomainError):
    """The envelope has left already, so the sending cannot be undone."""

    code = "too_late_to_cancel"
    hint = "Disable the envelope instead: its link dies at once."


class ExpiryTooLate(Malformed):
    """An envelope lives 7 days at most."""

    code = "expiry_too_late"
    hint = "Choose a date within 7 days of sending."


class ExpiryInvalid(Malformed):
    """The expiry is missing, or it does not shorten the envelope's life."""

    code = "expiry_invalid"


class NotANamedPerson(DomainError):
    """A letter goes from one named person to one named person."""

    code = "not_a_named_person"
    http_status = 422
    hint = "Give the sender and the contact a family or given name."


class FactMissing(DomainError):
    """The letter needs a known fact to open, and none is on file for this person."""

    code = "fact_missing"
    hint = "Add a postcode, date of birth or customer reference to the contact."


class SenderLimit(DomainError):
    """You have sent as many letters as one person may in this time."""

    code = "sender_limit"
    http_status = 429
    hint = "Letters go from person to person; wait a little before the next."


class AnswerWrong(DomainError):
    """That does not match what we have on file."""

    code = "answer_wrong"
    http_status = 422
    hint = "Check it and try again."


class AnswerMissing(Malformed):
    """Type the answer to open the letter."""

    code = "answer_missing"


class DoorLocked(DomainError):
    """Too many wrong answers. The door opens again after a while."""

    code = "door_locked"
    http_status = 429


class TicketInvalid(DomainError):
    """The letter is not open in this browser any more."""

    code = "ticket_invalid"
    http_status = 403
    hint = "Open the link in the message again."


class RenewalRefused(DomainError):
    """A fresh envelope cannot be sent now."""

    code = "renewal_refused"
    http_status = 429
    hint = "Look in your mailbox: one was sent a short while ago."


class OrganisationInvalid(Malformed):
    """A detail of the organisation is missing or not usable."""

    code = "organisation_invalid"


class OrganisationMissing(DomainError):
    """The organisation is not described yet, so nothing can be sent."""

    code = "organisation_missing"
    hint = "An administrator fills in the organisation page first."


class MailUnsafe(DomainError):
    """A value cannot stand in a mail without changing what the mail is."""

    code = "mail_unsafe"
    http_status = 422
    hint = "Correct the name, address or organisation detail that is named."
