"""The rules of a contact, told as laws."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.commands import ForgetContact, PermitSend, SetStop
from services.crm.errors import (
    ContactErased,
    ContactHasStopped,
    ContactInvalid,
    ContactUnknown,
)
from services.crm.events import (
    ContactCreated,
    ContactForgotten,
    ContactStopLifted,
    ContactStopped,
    SendPermitted,
)
from services.crm.model.contact import (
    Contact,
    change,
    create,
    evolve,
    evolve_suppressed,
    forget,
    permit,
    set_stop,
    suppress_address,
)
from services.crm.model.details import Details
from services.crm.model.words import could_be_mistaken
from shared.errors import DomainError
from shared.events import Event, Sealed

TOM = Details(
    kind="customer",
    title="Mr",
    given="Tom",
    family="Jones",
    formal_name="Mr Tom Jones",
    salutation="Dear Mr Tom Jones",
    email="tom@people.example",
    postcode="ZZ1 1AA",
    birth_date="",
    customer_reference="",
    company="",
)
ID = "c" * 32


def stop(name: str, *, stopped: bool = True, door: str = "link") -> SetStop:
    return SetStop(
        contact_id=ID, stop=name, stopped=stopped, door=door, wording="choices-1"
    )


def ask(purpose: str, attempt: int = 1) -> PermitSend:
    return PermitSend(
        envelope_id="e" * 32, contact_id=ID, purpose=purpose, attempt=attempt
    )


def after(*facts: Event) -> Contact:
    return reduce(evolve, [*create(ID, TOM), *facts], Contact())


COMMANDS = st.one_of(
    st.builds(
        stop,
        st.sampled_from(["marketing", "messages", "all"]),
        stopped=st.booleans(),
    ),
    st.builds(ask, st.sampled_from(["service", "marketing"])),
    st.just(ForgetContact(contact_id=ID, reason="person_asked")),
)


def decided(contact: Contact, command: object) -> list[Event]:
    match command:
        case SetStop():
            return set_stop(contact, command)
        case PermitSend():
            return permit(contact, command)
        case ForgetContact():
            return forget(contact, command)
        case _:
            raise AssertionError


@given(st.lists(COMMANDS, max_size=25))
def test_no_permit_ever_comes_after_a_stop_that_stands(commands: list[object]) -> None:
    contact, history = after(), []
    for command in commands:
        with suppress(DomainError):
            facts = decided(contact, command)
            history += facts
            contact = reduce(evolve, facts, contact)
    standing: set[str] = set()
    gone = False
    for fact in history:  # judged by the stream alone, not by the state
        match fact:
            case ContactStopped(stop=name):
                assert name not in standing, "what holds already is not written again"
                standing.add(name)
            case ContactStopLifted(stop=name):
                assert name in standing
                standing.remove(name)
            case SendPermitted(purpose=purpose):
                assert not gone
                assert not standing & {"messages", "all"}
                assert purpose != "marketing" or "marketing" not in standing
            case ContactForgotten():
                assert not gone
                gone = True
            case _:
                raise AssertionError(fact)


@pytest.mark.parametrize(
    ("held", "purpose", "granted"),
    [
        ("marketing", "service", True),
        ("marketing", "marketing", False),
        ("messages", "service", False),
        ("messages", "marketing", False),
        ("all", "service", False),
        ("all", "marketing", False),
    ],
)
def test_each_stop_stops_what_it_says(
    held: str, purpose: str, *, granted: bool
) -> None:
    contact = after(*set_stop(after(), stop(held)))
    if granted:
        assert [type(f) for f in permit(contact, ask(purpose))] == [SendPermitted]
    else:
        with pytest.raises(ContactHasStopped):
            permit(contact, ask(purpose))


def test_nothing_is_decided_about_a_person_never_entered() -> None:
    for command in (
        stop("all"),
        ask("service"),
        ForgetContact(contact_id=ID, reason="x1"),
    ):
        with pytest.raises(ContactUnknown):
            decided(Contact(), command)
    with pytest.raises(ContactUnknown):
        change(Contact(), ID, TOM)


def test_a_forgotten_person_leaves_nothing_personal_in_the_state() -> None:
    contact = after(ContactForgotten(contact_id=ID, reason="person_asked"))
    assert contact.details is None
    for command in (stop("all"), ask("service")):
        with pytest.raises(ContactErased):
            decided(contact, command)
    assert evolve(contact, create(ID, TOM)[0]).details is None


def test_destroyed_keys_alone_are_enough_to_refuse() -> None:
    [created] = create(ID, TOM)
    assert isinstance(created, ContactCreated)
    sealed = Sealed(key_id="0" * 8, box=b"x")
    lost = replace(created, email=sealed)
    with pytest.raises(ContactErased):
        permit(evolve(Contact(), lost), ask("service"))


def test_details_as_they_were_are_no_change() -> None:
    assert change(after(), ID, TOM) == []


@pytest.mark.parametrize(
    "command",
    [
        stop("some"),
        stop("all", door="window"),
        SetStop(contact_id=ID, stop="all", stopped=True, door="link", wording=""),
        ask("gossip"),
        ask("service", attempt=0),
        ForgetContact(contact_id=ID, reason="Tom asked me to"),
    ],
)
def test_what_is_no_choice_purpose_or_code_is_refused(command: object) -> None:
    with pytest.raises(ContactInvalid):
        decided(after(), command)


def named(given: str, family: str) -> Details:
    return replace(TOM, given=given, family=family)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (("Tom", "Jones"), ("Tomas", "Jones"), True),
        (("Tom", "Jones"), ("Terence", "JONES"), True),
        (("Jon", "Jones"), ("Ron", "Jones"), True),
        (("Tom", "Jones"), ("Edith", "Jones"), False),
        (("Tom", "Jones"), ("Tom", "Holloway"), False),
        (("Ingrid", "Sorensen"), ("Ingrid", "S\u00f8rensen"), True),
        (("Amarani", ""), ("", "Amarani"), True),
        (("Ann", "Ashworth Okafor"), ("Anne", "Ashworth-Okafor"), True),
    ],
)
def test_look_alikes_share_the_family_name_and_begin_alike(
    one: tuple[str, str], other: tuple[str, str], *, alike: bool
) -> None:
    assert could_be_mistaken(named(*one), named(*other)) is alike
    assert could_be_mistaken(named(*other), named(*one)) is alike


def test_a_fact_of_another_day_changes_nothing() -> None:
    assert evolve(after(), Event()) == after()
    assert evolve_suppressed(suppressed=False, event=Event()) is False


def test_an_address_is_suppressed_once() -> None:
    [fact] = suppress_address(suppressed=False, contact_id=ID, address_mac="0" * 64)
    assert evolve_suppressed(suppressed=False, event=fact)
    assert suppress_address(suppressed=True, contact_id=ID, address_mac="0" * 64) == []
