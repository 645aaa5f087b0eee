"""Values of a record: of a narrow type, kept in one form, shown in words."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.letters.commands import FormField
from services.letters.errors import RecordInvalid
from services.letters.model.form import from_json, to_json, typed_values, well_formed
from services.letters.model.text import in_words, words_of
from services.letters.model.values import TYPES, checked, shown


def field(type_: str, **more: object) -> FormField:
    choices = ("Bill", "Visit") if type_ == "choice" else ()
    return FormField(name="a", label="A", type=type_, choices=choices, **more)  # type: ignore[arg-type]  # only `required` is passed


@pytest.mark.parametrize(
    ("type_", "typed", "kept", "told"),
    [
        ("choice", " Bill ", "Bill", "Bill"),
        ("date", "2026-11-03", "2026-11-03", "3 November 2026"),
        ("money", "1234.50", "1234.50", "1,234.50"),
        ("money", "48", "48.00", "48.00"),
        ("money", "-3.20", "-3.20", "-3.20"),
        ("number", "12.5", "12.5", "12.5"),
        ("text", "Cafe\u0301 O'Brien & Sons", "Caf\u00e9 O'Brien & Sons", None),
        ("text", "\u7f8e\u96e8 \u6797", "\u7f8e\u96e8 \u6797", None),
        ("address", "1 High St\r\n\r\nYork ", "1 High St\nYork", None),
        ("quotation", " I said:\r\n<b>no</b> ", "I said:\n<b>no</b>", None),
    ],
)
def test_a_value_is_kept_in_one_form(
    type_: str, typed: str, kept: str, told: str | None
) -> None:
    assert checked(field(type_), typed) == kept
    assert shown(type_, kept) == (told or kept)
    assert checked(field(type_), kept) == kept


@pytest.mark.parametrize(
    ("type_", "typed"),
    [
        ("choice", "bill"),
        ("choice", "Other"),
        ("date", "3.11.2026"),
        ("date", "2026-02-30"),
        ("date", "2026-W01-1"),
        ("date", "\u0662\u0660\u0662\u0666-11-03"),
        ("money", "48.2"),
        ("money", "1,000.00"),
        ("money", "1e9"),
        ("money", "NaN"),
        ("money", "\u00a348.20"),
        ("money", "9" * 13),
        ("number", "0x10"),
        ("number", "1."),
        ("number", "Infinity"),
        ("text", "two\nlines"),
        ("text", "x" * 201),
        ("text", "<b>bold</b>"),
        ("text", "{{salutation}}"),
        ("text", "see https://evil.example"),
        ("text", "you are a fool!"),
        ("text", "rtl \u202e override"),
        ("address", "\n".join(["row"] * 11)),
        ("address", "row " * 40),
        ("address", "<script>"),
        ("quotation", "x" * 10_001),
        ("quotation", "a\x07b"),
        ("no such type", "x"),
    ],
)
def test_what_is_not_of_its_type_is_refused(type_: str, typed: str) -> None:
    assert checked(field(type_), typed) is None


@given(st.sampled_from(sorted(TYPES)), st.text(max_size=60))
def test_checking_settles_a_value(type_: str, typed: str) -> None:
    kept = checked(field(type_), typed)
    if kept is not None:
        assert checked(field(type_), kept) == kept
        assert shown(type_, kept)
        if type_ != "quotation":
            assert not set(kept) & set('<>{}"$%\\`')


@given(st.dates())
def test_a_date_is_told_in_words(day: date) -> None:
    number, month, year = in_words(day).split()
    assert (int(number), int(year)) == (day.day, day.year)
    assert month.isalpha()


def test_every_fault_of_a_record_is_named() -> None:
    fields = (
        field("date"),
        FormField(name="b", label="Sum", type="money"),
        FormField(name="c", label="Note", type="text", required=False),
    )
    with pytest.raises(RecordInvalid) as refused:
        typed_values(fields, {"a": "never", "zz": "1", "SECRET VALUE": "2"})
    told = str(refused.value)
    assert "A is not a date" in told
    assert "Sum is missing" in told
    assert "'zz'" in told
    assert "SECRET" not in told
    assert "never" not in told


def test_what_is_optional_may_be_left_out() -> None:
    fields = (
        field("text", required=False),
        FormField(name="b", label="B", type="date"),
    )
    assert typed_values(fields, {"a": " ", "b": "2026-01-02"}) == {"b": "2026-01-02"}


def test_a_form_is_kept_as_it_is() -> None:
    fields = well_formed([field("choice"), FormField(name="b", label="B", type="date")])
    assert from_json(to_json(fields)) == fields
    assert to_json(()) == ""
    assert from_json("") == ()


def test_titles_are_found_by_folded_words() -> None:
    assert words_of("Stra\u00dfe, the the 2nd!") == ("strasse", "the", "2nd")
