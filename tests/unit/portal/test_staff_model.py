"""The rules about members of staff, told as laws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portal.commands import SetRole
from services.portal.errors import (
    LastAdmin,
    RoleUnknown,
    SignInLinkUsed,
    SignInRefused,
    StaffInvalid,
    StaffUnknown,
)
from services.portal.events import (
    PasswordSet,
    SignInLinkMade,
    StaffAddressClaimed,
    StaffInvited,
    StaffSignedIn,
    StaffSignedOut,
)
from services.portal.model import address, details, roster, staff
from services.portal.model.roster import ROLES, Roster
from services.portal.model.staff import GRACE, LINK_LIFE, Staff
from shared.events import Event
from tests.facts import ThingMade

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANNA = "1" * 32
INVITED = StaffInvited(staff_id=ANNA, formal_name="Ms Anna Ferris", email="a@b.example")
MADE = SignInLinkMade(staff_id=ANNA, link_hash="h1", expires_at=NOON + LINK_LIFE)
USED = StaffSignedIn(staff_id=ANNA, means="link", link_hash="h1")


def told(*facts: Event) -> Staff:
    return reduce(staff.evolve, facts, Staff())


def test_a_link_works_until_it_is_used() -> None:
    assert staff.use_link(told(INVITED, MADE), "h1", NOON) == [USED]
    with pytest.raises(SignInLinkUsed):
        staff.use_link(told(INVITED, MADE, USED), "h1", NOON)


@given(late=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)))
def test_no_link_works_after_its_day(late: timedelta) -> None:
    with pytest.raises(SignInLinkUsed):
        staff.use_link(told(INVITED, MADE), "h1", NOON + LINK_LIFE + late)


@given(
    early=st.timedeltas(min_value=timedelta(microseconds=1), max_value=LINK_LIFE),
)
def test_a_link_works_all_of_its_day(early: timedelta) -> None:
    at = NOON + LINK_LIFE - early
    assert staff.use_link(told(INVITED, MADE), "h1", at) == [USED]


def test_a_link_is_made_for_one_day() -> None:
    assert timedelta(hours=24) == LINK_LIFE
    assert staff.make_link(told(INVITED), "h1", NOON) == [MADE]


def test_a_new_link_ends_the_older_one() -> None:
    newer = SignInLinkMade(staff_id=ANNA, link_hash="h2", expires_at=NOON + LINK_LIFE)
    both = told(INVITED, MADE, newer)
    with pytest.raises(SignInLinkUsed):
        staff.use_link(both, "h1", NOON)
    assert staff.use_link(both, "h2", NOON)


def test_the_answer_to_a_used_link_is_repeated_for_a_moment_only() -> None:
    used = told(INVITED, MADE, USED)
    staff.repeat_link(used, "h1", NOON, NOON + GRACE - timedelta(microseconds=1))
    for link, at in (("h1", NOON + GRACE), ("h1", NOON - GRACE), ("h2", NOON)):
        with pytest.raises(SignInLinkUsed):
            staff.repeat_link(used, link, NOON, at)
    signed_out = staff.evolve(used, StaffSignedOut(staff_id=ANNA))
    with pytest.raises(SignInLinkUsed):
        staff.repeat_link(signed_out, "h1", NOON, NOON)


def test_a_password_changed_meanwhile_signs_nobody_in() -> None:
    first = PasswordSet(staff_id=ANNA, password_hash="p1")
    second = PasswordSet(staff_id=ANNA, password_hash="p2")
    assert staff.sign_in(told(INVITED, first), "p1") == [
        StaffSignedIn(staff_id=ANNA, means="password")
    ]
    with pytest.raises(SignInRefused):
        staff.sign_in(told(INVITED, first, second), "p1")


def test_nobody_signs_in_without_a_password() -> None:
    with pytest.raises(SignInRefused):
        staff.sign_in(told(INVITED), None)


def test_signing_in_by_password_leaves_the_link_alone() -> None:
    signed = StaffSignedIn(staff_id=ANNA, means="password")
    assert staff.use_link(told(INVITED, MADE, signed), "h1", NOON) == [USED]


def test_a_person_is_invited_once() -> None:
    with pytest.raises(StaffInvalid):
        staff.invite(told(INVITED), ANNA, "Ms Anna Ferris", "a@b.example")


def test_nothing_happens_to_somebody_who_was_never_invited() -> None:
    with pytest.raises(StaffUnknown):
        staff.make_link(Staff(), "h", NOON)
    with pytest.raises(StaffUnknown):
        staff.set_password(Staff(), "p")
    with pytest.raises(StaffUnknown):
        staff.sign_out(Staff())


def test_facts_unknown_to_a_rule_change_nothing() -> None:
    other = ThingMade(thing_id="t1")
    assert staff.evolve(told(INVITED, MADE), other) == told(INVITED, MADE)
    assert roster.evolve(Roster(), other) == Roster()
    claimed = address.Address(ANNA)
    assert address.evolve(claimed, other) == claimed


def test_an_address_stays_with_the_first_who_claimed_it() -> None:
    free = address.Address()
    (claimed,) = address.claim(free, ANNA)
    taken = address.evolve(free, claimed)
    assert address.claim(taken, "2" * 32) == []
    later = StaffAddressClaimed(staff_id="2" * 32)
    assert address.evolve(taken, later) == taken


@given(
    asked=st.lists(
        st.tuples(st.sampled_from("123"), st.sampled_from(ROLES), st.booleans()),
        max_size=40,
    )
)
def test_an_administrator_is_always_left(asked: list[tuple[str, str, bool]]) -> None:
    state = Roster({"1": frozenset({"admin"})})
    for who, role, granted in asked:
        request = SetRole(staff_id=who, role=role, granted=granted)
        try:
            facts = roster.change(state, request)
        except LastAdmin:
            assert role == "admin"
            assert not granted
            assert state.admins() == {who}
            facts = []
        else:
            was = role in state.of(who)
            assert len(facts) == (was != granted)
        state = reduce(roster.evolve, facts, state)
        assert state.admins()
        assert set(state.of(who)) <= set(ROLES)


@pytest.mark.parametrize("role", ["", "Admin", "owner", "service"])
def test_a_role_that_does_not_exist_is_refused(role: str) -> None:
    with pytest.raises(RoleUnknown):
        roster.change(Roster(), SetRole(staff_id=ANNA, role=role, granted=True))
    with pytest.raises(RoleUnknown):
        roster.refuse_unknown(["sender", role])


def test_nobody_is_invited_without_a_role() -> None:
    with pytest.raises(StaffInvalid):
        roster.refuse_unknown([])


@pytest.mark.parametrize(
    "name",
    [
        "Ms Anna Ferris",
        "Mr Robert Service",
        "Dr Siân O\u2019Farrelly-Vale",
        "Olga Lesnaya",
        "Ms 林 美雨",
        "Ольга Лесная",
        "Prof. J. Ashworth-Okafor",
        "Ms Amarani",
    ],
)
def test_the_names_of_persons_are_kept_as_they_are(name: str) -> None:
    assert details.formal_name(f"  {name.replace(' ', '   ')} ") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "Anna",
        "Customer Service",
        "The Billing Team",
        "Ms Support Team",
        "Complaints Department",
        "Sales Office",
        "Anna Ferris <anna@b.example>",
        "Agent 47",
        "Ms Anna\x00Ferris",
        "A " + "b" * 100,
    ],
)
def test_what_names_no_person_is_refused(name: str) -> None:
    with pytest.raises(StaffInvalid) as refused:
        details.formal_name(name)
    assert "Anna Ferris" not in str(refused.value)


def test_one_address_has_one_spelling() -> None:
    assert details.address("  Anna.Ferris@Harbourvale.EXAMPLE ") == (
        "anna.ferris@harbourvale.example"
    )
    assert details.address("ine\u0301s@b.example") == details.address(
        "in\u00e9s@b.example"
    )


@pytest.mark.parametrize(
    "typed",
    [
        *("", "anna", "anna@", "@b.example", "a@b", "a@@b.example", "a b@c.example"),
        *("a@b.example, c@d.example", "a@b..example", "a@-b.example", "a\n@b.example"),
        "a" * 250 + "@b.example",
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(StaffInvalid):
        details.address(typed)


@given(typed=st.text(st.characters(), max_size=60))
def test_the_kept_form_of_any_text_is_stable_and_can_be_stored(typed: str) -> None:
    kept = details.as_kept(typed)
    assert kept.encode().decode() == kept
    assert details.as_kept(kept) == kept
