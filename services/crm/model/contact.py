"""The rules of a contact: who may be written to, and what the person has stopped."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from services.crm.commands import ForgetContact, PermitSend, SetStop
from services.crm.errors import ContactErased, ContactHasStopped, ContactUnknown
from services.crm.events import (
    DETAILS,
    AddressSuppressed,
    ContactChanged,
    ContactCreated,
    ContactForgotten,
    ContactStopLifted,
    ContactStopped,
    SendPermitted,
)
from services.crm.model.details import Details
from services.crm.model.names import refuse
from shared.events import Event

STOPS: Final = ("marketing", "messages", "all")
PURPOSES: Final = ("service", "marketing")
DOORS: Final = ("portal", "link")
_WORDING: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,59}")  # no sentence
_REASON: Final = re.compile(r"[a-z][a-z0-9_-]{1,39}")
_STOPPED: Final = {
    "marketing": "This person has asked for no marketing letters.",
    "messages": "This person has asked for no e-mail or text messages.",
    "all": "This person has asked not to be contacted at all.",
}


@dataclass(frozen=True, slots=True)
class Contact:
    """Only what the rules need; nothing personal once the person is forgotten."""

    known: bool = False
    forgotten: bool = False
    details: Details | None = None  # None as well when the keys are gone
    stops: tuple[str, ...] = ()


def require(contact: Contact) -> Details:
    """Return the details of a person who can still be written to.

    Raises:
        ContactUnknown: there never was such a contact.
        ContactErased: the person was forgotten, or the keys are destroyed.
    """
    if not contact.known:
        raise ContactUnknown
    if contact.forgotten or contact.details is None:
        raise ContactErased
    return contact.details


def create(contact_id: str, details: Details) -> list[Event]:
    """Enter a person."""
    return [
        ContactCreated(
            contact_id=contact_id,
            kind=details.kind,
            facts=details.facts,
            **{name: getattr(details, name) for name in DETAILS},
        )
    ]


def change(contact: Contact, contact_id: str, details: Details) -> list[Event]:
    """Replace a person's details; nothing if they are as they were.

    Raises:
        ContactUnknown, ContactErased: as `require`.
    """
    before = require(contact)
    changed = tuple(
        name
        for name in ("kind", *DETAILS)
        if getattr(before, name) != getattr(details, name)
    )
    if not changed:
        return []
    return [
        ContactChanged(
            contact_id=contact_id,
            kind=details.kind,
            facts=details.facts,
            changed=changed,
            **{name: getattr(details, name) for name in DETAILS},
        )
    ]


def set_stop(contact: Contact, request: SetStop) -> list[Event]:
    """Record a choice; nothing if it holds already.

    Raises:
        ContactInvalid: no such stop or door, or a wording that is not a version.
        ContactUnknown, ContactErased: as `require`.
    """
    if request.stop not in STOPS:
        refuse("Choice", "one of marketing, messages, all.")
    if request.door not in DOORS or not _WORDING.fullmatch(request.wording):
        refuse("Choice", "where it was made and which wording was shown are missing.")
    require(contact)
    if (request.stop in contact.stops) == request.stopped:
        return []
    fact = ContactStopped if request.stopped else ContactStopLifted
    return [
        fact(
            contact_id=request.contact_id,
            stop=request.stop,
            door=request.door,
            wording=request.wording,
        )
    ]


def permit(contact: Contact, request: PermitSend) -> list[Event]:
    """Grant one attempt to send an envelope by e-mail.

    Raises:
        ContactHasStopped: a stop stands in its way.
        ContactInvalid: no such purpose, or attempts are not counted from 1.
        ContactUnknown, ContactErased: as `require`.
    """
    require(contact)
    if request.purpose not in PURPOSES or request.attempt < 1:
        refuse("Purpose", "service or marketing, and the attempt counted from 1.")
    barring = {"messages", "all"}
    if request.purpose == "marketing":
        barring.add("marketing")
    for stop in reversed(STOPS):
        if stop in barring and stop in contact.stops:
            raise ContactHasStopped(_STOPPED[stop])
    return [
        SendPermitted(
            contact_id=request.contact_id,
            envelope_id=request.envelope_id,
            purpose=request.purpose,
            attempt=request.attempt,
        )
    ]


def forget(contact: Contact, request: ForgetContact) -> list[Event]:
    """Erase a person; nothing if that was done before.

    Raises:
        ContactUnknown: there never was such a contact.
        ContactInvalid: the reason is not a code.
    """
    if not contact.known:
        raise ContactUnknown
    if not _REASON.fullmatch(request.reason):
        refuse("Reason", "a code of small letters, for example person_asked.")
    if contact.forgotten:
        return []
    return [ContactForgotten(contact_id=request.contact_id, reason=request.reason)]


def evolve(contact: Contact, event: Event) -> Contact:
    """Apply one fact. Total: a fact this version does not know changes nothing."""
    match event:
        case ContactCreated() | ContactChanged():
            details = None if contact.forgotten else opened(event)
            return replace(contact, known=True, details=details)
        case ContactStopped(stop=stop):
            held = {*contact.stops, stop}
            return replace(contact, stops=tuple(s for s in STOPS if s in held))
        case ContactStopLifted(stop=stop):
            return replace(contact, stops=tuple(s for s in contact.stops if s != stop))
        case ContactForgotten():
            return Contact(known=True, forgotten=True, stops=contact.stops)
        case _:
            return contact


def opened(event: ContactCreated | ContactChanged) -> Details | None:
    """Return the details an event carries, or None if its keys are destroyed."""
    values = {name: getattr(event, name) for name in DETAILS}
    if not all(isinstance(value, str) for value in values.values()):
        return None
    return Details(kind=event.kind, **values)


def suppress_address(
    suppressed: bool,  # noqa: FBT001  # the state of the stream, as `decide` has it
    contact_id: str,
    address_mac: str,
) -> list[Event]:
    """Keep an erased person's address from being entered anew; nothing if it is."""
    if suppressed:
        return []
    return [AddressSuppressed(contact_id=contact_id, address_mac=address_mac)]


def evolve_suppressed(
    suppressed: bool,  # noqa: FBT001  # the state of the stream, as `evolve` has it
    event: Event,
) -> bool:
    """Say whether the address is suppressed after `event`."""
    return suppressed or isinstance(event, AddressSuppressed)
