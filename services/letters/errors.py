"""Why the letters service says no."""

from __future__ import annotations

from shared.errors import DomainError, Malformed, NotFound


class PageUnknown(NotFound):
    """There is no page with this number."""

    code = "page_unknown"
    hint = "Type the six digits of the page, or words of its title."


class RecordUnknown(NotFound):
    """There is no record with this key."""

    code = "record_unknown"
    hint = "Check the key, or pick one of this contact's records."


class LetterInvalid(Malformed):
    """Something in the letter must be put right first."""

    code = "letter_invalid"


class RecordInvalid(Malformed):
    """A value of the record is missing or not of its type."""

    code = "record_invalid"


class LetterNotApproved(DomainError):
    """The page is not approved, so it cannot be sent."""

    code = "letter_not_approved"
    hint = "An executive who did not write it must approve it first."


class LetterIsWithdrawn(DomainError):
    """The page was withdrawn, so it cannot be sent any more."""

    code = "letter_withdrawn"
    hint = "Choose another page. Letters already sent stay readable."


class AuthorCannotApprove(DomainError):
    """A letter is approved by somebody other than its author."""

    code = "author_cannot_approve"
    http_status = 403
    hint = "Ask another executive to review it."


class NotSubmitted(DomainError):
    """Only a submitted revision can be approved or returned."""

    code = "letter_not_submitted"
    hint = "Reload the page to see its present state."


class SecretNotOffered(DomainError):
    """Class secret opens only after sign-in, which recipients do not have yet."""

    code = "secret_not_offered"
    hint = "Choose private: the recipient gives a known fact or a one-time code."


class RecordNotTheirs(DomainError):
    """The record belongs to another person."""

    code = "record_not_theirs"
    http_status = 403
    hint = "Pick one of this contact's own records, or choose the other contact first."


class RecordMissing(DomainError):
    """The letter shows a record, and none was named."""

    code = "record_missing"
    hint = "Type the record key, or pick one of this contact's records."


class RecordNotFitting(DomainError):
    """The letter does not show records of that form."""

    code = "record_not_fitting"
    hint = "Leave the record key empty, or choose the letter that answers that form."


class DataMissing(DomainError):
    """The letter needs a detail that is not on file; the message names it."""

    code = "data_missing"
    hint = "Add the detail to the record or the contact, then send."
