"""Forms take what was asked for, and let the business add its own objections."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from werkzeug import Response

from shared.web.cookies import drop_cookie, set_cookie
from shared.web.forms import PageForm, day, text
from shared.web.frame import leave_notice
from tests.unit.shared.web.gallery import gallery


class Birth(PageForm):
    born = day("Born", required="Enter the date of birth")
    number = text("Number", pattern="[0-9]{6}", wrong="Use six digits", longest=10)


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return gallery("portal", tmp_path)


def errors_of(app: Flask, posted: dict[str, str | list[str]]) -> list[str]:
    with app.test_request_context("/", method="POST", data=posted):
        form = Birth.read()
        assert form.accepted() is not bool(form.summary)
        return [error["text"] for error in form.summary]


def test_an_empty_date_and_a_mistaken_one_are_told_apart(app: Flask) -> None:
    assert errors_of(app, {"born": ["", "", ""]}) == ["Enter the date of birth"]
    (mistaken,) = errors_of(app, {"born": ["31", "2", "2000"]})
    assert mistaken.startswith("Enter a real date")


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ("165104", []),
        (" 165104 ", []),
        ("", []),
        ("165104\n", []),
        ("16510", ["Use six digits"]),
        ("1" * 11, ["Use at most 10 characters"]),
    ],
)
def test_a_pattern_judges_the_whole_value(
    app: Flask, typed: str, wrong: list[str]
) -> None:
    assert errors_of(app, {"born": ["1", "2", "2000"], "number": typed}) == wrong


def test_the_business_may_object_to_a_field(app: Flask) -> None:
    with app.test_request_context(
        "/", method="POST", data={"born": ["1", "2", "2000"], "number": "165104"}
    ):
        form = Birth.read()
        assert form.accepted()
        form.blame("number", "There is no such page")
        assert form.summary == [{"text": "There is no such page", "href": "#number"}]


def test_a_get_shows_what_is_on_file(app: Flask) -> None:
    with app.test_request_context("/?number=1"):
        form = Birth.read(number="165104")
        assert form.number.data == "165104"
        assert not form.accepted()


def test_only_listed_notices_can_be_left(app: Flask) -> None:
    with app.test_request_context("/"), pytest.raises(KeyError):
        leave_notice(Response(), "free text")


def test_a_cookie_without_the_host_prefix_is_refused() -> None:
    with pytest.raises(ValueError, match="__Host-"):
        set_cookie(Response(), "id", "x")
    with pytest.raises(ValueError, match="__Host-"):
        drop_cookie(Response(), "id")
