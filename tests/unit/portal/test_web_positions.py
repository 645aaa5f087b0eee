"""A page waits for what its reader has done, and for no position that is made up."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portal.web.forms import position
from services.portal.web.positions import LARGEST, Positions, number
from tests.unit.portal.web_house import BASE, House, open_house, place, words

UPDATING = "Still updating"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house")) as opened:
        yield opened


def test_a_made_up_position_is_not_waited_for(house: House) -> None:
    anna = house.browser("anna")
    for invented in ("999999999", str(LARGEST), "9" * 30):
        shown = anna.get(f"/contacts?q=jones&after={invented}")
        assert shown.status_code == 200
        assert UPDATING not in words(shown)


def test_where_an_act_sends_one_is_waited_for(house: House) -> None:
    anna = house.browser("anna")
    sent = {"kind": "customer", "email": "someone@people.example", "title": "Ms"}
    moved = anna.act("/contacts/new", {**sent, "given": "Wren", "family": "Quickly"})
    at = parse_qs(urlsplit(place(moved)).query)["after"]
    with house.app.test_request_context(f"/contacts?after={at[0]}"):
        assert position() == int(at[0])
    with house.app.test_request_context(f"/contacts?after={int(at[0]) + 1}"):
        assert position() == 0
    shown = anna.client.get(place(moved), base_url=BASE)  # at once
    assert "Ms Wren Quickly" in words(shown)


def test_a_form_that_comes_back_hands_out_no_made_up_position(house: House) -> None:
    anna = house.browser("anna")
    invented = 10**12
    wrong = anna.act(f"/contacts/new?after={invented}", {"given": "Wren"})
    assert "after" not in place(wrong)
    with house.app.test_request_context(f"/contacts?after={invented}"):
        assert position() == 0


@given(st.lists(st.integers(0, LARGEST)), st.integers(0, LARGEST))
def test_what_was_handed_out_bounds_what_is_waited_for(
    handed: list[int], asked: int
) -> None:
    known = Positions()
    for one in handed:
        known.hand_out(one)
    wanted = asked if asked <= max(handed, default=0) else 0
    assert known.waited_for(asked) == wanted


@given(st.text())
def test_whatever_stands_in_an_address_is_a_position_or_none(text: str) -> None:
    assert 0 <= number(text) <= LARGEST
