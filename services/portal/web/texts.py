"""Fixed sentences shown after an act, and the names every template may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.portal.web import words
from shared.web.frame import Notice

NOTICES: Final[Mapping[str, Notice]] = {
    "contact_created": Notice(text="The contact is entered."),
    "contact_changed": Notice(text="The details are changed."),
    "contact_erased": Notice(
        text="The contact is erased. Keys are being destroyed in every service; "
        "nobody can read the person's data any more."
    ),
    "choices_saved": Notice(text="The choices are recorded and hold at once."),
    "letter_saved": Notice(text="The draft is kept as a new revision."),
    "letter_submitted": Notice(
        text="The letter waits for approval by an executive who did not write it."
    ),
    "letter_approved": Notice(text="The letter is approved and can be sent."),
    "letter_returned": Notice(text="The letter went back to its author."),
    "letter_withdrawn": Notice(
        text="The page is withdrawn. It cannot be sent any more; letters already sent "
        "stay as they were."
    ),
    "request_saved": Notice(text="The request is recorded."),
    "staff_invited": Notice(
        text="The member of staff is entered. Make a sign-in link for the first visit."
    ),
    "roles_saved": Notice(text="The roles are changed and hold from now on."),
    "password_set": Notice(
        text="Your password is set. You were signed out everywhere else."
    ),
    "organisation_saved": Notice(text="The organisation is described."),
}

NAMES: Final[Mapping[str, object]] = {
    "chip_of": words.chip_of,
    "viewed_words": words.viewed,
    "until_words": words.until,
    "mark_of": words.initial,
    "CHECKS": words.CHECKS,
    "CLASSES": words.CLASSES,
    "CONTACT_KINDS": words.CONTACT_KINDS,
    "EVENTS": words.EVENTS,
    "FIELD_TYPES": words.FIELD_TYPES,
    "FAILURES": words.FAILURES,
    "KINDS": words.KINDS,
    "PURPOSES": words.PURPOSES,
    "ROLES": words.ROLES,
    "STOPS": words.STOPS,
    "WARNINGS": words.WARNINGS,
}
