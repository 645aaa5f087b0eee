"""Known facts at the door: forgiving of spelling, not of substance."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.commands import CheckFact
from services.crm.errors import ContactInvalid, ContactUnknown
from services.crm.model.facts import comparable
from services.crm.model.text import fold
from tests.builders import a_context
from tests.unit.crm.conftest import World

FACTS: dict[str, Any] = {
    "family": "S\u00f8rensen-O'Neill",
    "postcode": "ZZ1 1AA",
    "birth_date": "1980-03-01",
    "customer_reference": "HV-10231",
}


@pytest.mark.parametrize(
    ("means", "answer", "right"),
    [
        ("postcode", "zz1 1aa", True),
        ("postcode", " ZZ11AA ", True),
        ("postcode", "ZZ1 1AB", False),
        ("postcode", "", False),
        ("birth_date", "1980-03-01", True),
        ("birth_date", "01/03/1980", True),
        ("birth_date", "1.3.1980", True),
        ("birth_date", "1 March 1980", True),
        ("birth_date", "1st  mar 1980", True),
        ("birth_date", "03/01/1980", False),
        ("birth_date", "31/02/1980", False),
        ("birth_date", "1 Ma 1980", False),
        ("birth_date", "1 Marchy 1980", False),
        ("birth_date", "1980", False),
        ("customer_reference", "hv 10231", True),
        ("customer_reference", "HV10231", True),
        ("customer_reference", "HV-10232", False),
        ("family_name", "sorensen oneill", True),
        ("family_name", "S\u00d8RENSEN-O\u2019NEILL", True),
        ("family_name", "Sorensen", False),
        ("family_name", "Tom", False),
        ("family_name", "\ud800", False),
    ],
)
def test_an_answer_is_right_however_it_is_spelt(
    world: World, means: str, answer: str, *, right: bool
) -> None:
    contact_id = world.enter(**FACTS)
    before = world.journal.read_all(0, 100)
    request = CheckFact(contact_id=contact_id, means=means, answer=answer)
    assert world.crm.check_fact(request, a_context()) is right
    assert world.journal.read_all(0, 100) == before, "asking writes nothing"


@pytest.mark.parametrize("means", ["postcode", "birth_date", "customer_reference"])
@pytest.mark.parametrize("answer", ["", "-", "x", "nonsense"])
def test_a_fact_that_is_not_on_file_is_never_right(
    world: World, means: str, answer: str
) -> None:
    request = CheckFact(contact_id=world.enter(), means=means, answer=answer)
    assert world.crm.check_fact(request, a_context()) is False


def test_the_one_name_of_a_person_counts_as_the_family_name(world: World) -> None:
    contact_id = world.enter(title="", given="Amarani", family="")
    request = CheckFact(contact_id=contact_id, means="family_name", answer="amarani")
    assert world.crm.check_fact(request, a_context()) is True


def test_other_means_and_unknown_people_are_refused(world: World) -> None:
    tom = world.enter()
    with pytest.raises(ContactInvalid):
        world.crm.check_fact(
            CheckFact(contact_id=tom, means="email", answer="x"), a_context()
        )
    with pytest.raises(ContactUnknown):
        world.crm.check_fact(
            CheckFact(contact_id="0" * 32, means="postcode", answer="x"), a_context()
        )


@given(st.text(max_size=20))
def test_folding_is_stable_and_any_answer_is_digested(text: str) -> None:
    assert all(c.isalnum() for c in fold(text))
    assert isinstance(comparable("birth_date", text), str)


@given(st.dates())
def test_every_date_is_read_in_three_forms(day: object) -> None:
    iso = str(day)
    year, month, date = iso.split("-")
    assert comparable("birth_date", iso) == iso
    assert comparable("birth_date", f"{date}/{month}/{year}") == iso
