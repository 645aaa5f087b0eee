"""Why the contacts service says no."""

from __future__ import annotations

from shared.errors import DomainError, Malformed, NotFound


class ContactUnknown(NotFound):
    """There is no such contact, or the contact was erased."""

    code = "contact_unknown"
    hint = "Search for the person by name, reference or postcode."


class ContactInvalid(Malformed):
    """A detail of the contact is not of professional quality."""

    code = "contact_invalid"


class ContactHasStopped(DomainError):
    """The person has asked not to be contacted in this way."""

    code = "contact_stopped"
    hint = "Their choice is on the contact's page. A sender cannot override it."


class ContactErased(DomainError):
    """The person was erased at their request and is not contacted again."""

    code = "contact_erased"
    http_status = 410


class CodeLocked(DomainError):
    """Too many wrong codes, or too many codes asked for."""

    code = "code_locked"
    http_status = 429
    hint = "Wait ten minutes, then ask for a new code."
