"""Commands of every kind on fresh things, to be cut off and repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.crm.commands import (
    ChangeContact,
    CreateContact,
    ForgetContact,
    PermitSend,
    SetStop,
)
from services.envelope.commands import Knock, ReadLetter, RenewLink, SetExpiry
from services.letters.commands import SaveRecord, WithdrawPage
from shared.context import CallContext
from shared.ids import mint
from tests.journeys.town import BROWSER, Town


def a_stop(contact: str, *, stopped: bool, stop: str = "messages") -> SetStop:
    return SetStop(
        contact_id=contact, stop=stop, stopped=stopped, door="portal", wording="v1"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A command on something fresh: `begin` makes that, and says how to ask for it."""

    name: str
    begin: Callable[[Town], Callable[[UUID], object]]


def _send(town: Town) -> Callable[[UUID], object]:
    contact = town.a_contact()
    return lambda press: town.send(contact, context=town.by("sender", press))


def _create(town: Town) -> Callable[[UUID], object]:
    person = CreateContact(given="Ann", family="Bell", email=f"{mint().hex}@p.example")
    return lambda press: town.staff.crm.create(person, town.by("sender", press))


def _change(town: Town) -> Callable[[UUID], object]:
    request = ChangeContact(
        contact_id=town.a_contact(),
        kind="customer",
        given="Ann",
        family="Bell",
        email=f"{mint().hex}@p.example",
    )
    return lambda press: town.staff.crm.change(request, town.by("sender", press))


def _stop(town: Town) -> Callable[[UUID], object]:
    request = a_stop(town.a_contact(), stopped=True)
    return lambda press: town.staff.crm.set_stop(request, town.by("sender", press))


def _permit(town: Town) -> Callable[[UUID], object]:
    request = PermitSend(
        envelope_id=mint().hex,
        contact_id=town.a_contact(),
        purpose="service",
        attempt=1,
    )
    crm = town.core.apis("envelope").crm
    return lambda press: crm.permit(request, _as_service(press))


def _forget(town: Town) -> Callable[[UUID], object]:
    request = ForgetContact(contact_id=town.a_contact(), reason="person_asked")
    crm = town.staff.crm
    return lambda press: crm.forget(request, town.by("compliance", press))


def _record(town: Town) -> Callable[[UUID], object]:
    request = SaveRecord(
        page="165100",
        author_id=town.a_contact(),
        fields={"subject": "Bill", "received": "2026-11-03", "story": "Twice."},
    )
    letters = town.staff.letters
    return lambda press: letters.save_record(request, town.by("sender", press))


def _withdraw(town: Town) -> Callable[[UUID], object]:
    request = WithdrawPage(page=town.a_page(), reason="Out of date.")
    letters = town.staff.letters
    return lambda press: letters.withdraw(request, town.by("executive", press))


def _knock(town: Town) -> Callable[[UUID], object]:
    _, token = town.an_open_door()
    envelope = town.public.envelope
    return lambda press: envelope.knock(Knock(token=token), town.visitor(press))


def _open(town: Town) -> Callable[[UUID], object]:
    _, token = town.an_open_door()
    return lambda press: town.open(token, town.visitor(press))


def _read_again(town: Town) -> Callable[[UUID], object]:
    _, token = town.an_open_door()
    ticket = town.open(token)
    read = ReadLetter(ticket=ticket.ticket, browser=BROWSER)
    town.public.envelope.read(read, town.visitor())
    return lambda press: town.public.envelope.read(read, town.visitor(press))


def _end(town: Town) -> Callable[[UUID], object]:
    envelope, _ = town.an_open_door()
    past = town.core.clock.now() - timedelta(days=1)
    request = SetExpiry(envelope_id=envelope, expires_at=past, reason="mistake")
    api = town.staff.envelope
    return lambda press: api.set_expiry(request, town.by("sender", press))


def _renew(town: Town) -> Callable[[UUID], object]:
    envelope, _ = town.an_open_door()
    api = town.staff.envelope
    request = RenewLink(envelope_id=envelope)
    return lambda press: api.renew(request, town.by("sender", press))


DEEDS: Final = [
    Deed(name=name.removeprefix("_"), begin=begin)
    for name, begin in (
        (begin.__name__, begin)
        for begin in (
            _send,
            _create,
            _change,
            _stop,
            _permit,
            _forget,
            _record,
            _withdraw,
            _knock,
            _open,
            _read_again,
            _end,
            _renew,
        )
    )
]


def _as_service(press: UUID) -> CallContext:
    return CallContext(
        command_id=press,
        correlation_id=press,
        actor_id="envelope",
        actor_kind="service",
        role="service",
    )
