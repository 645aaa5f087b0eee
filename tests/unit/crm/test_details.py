"""What may be entered about a person, and how it is kept."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.commands import CreateContact
from services.crm.errors import ContactInvalid
from services.crm.events import DETAILS
from services.crm.model.details import Details, area_of, details_of, masked
from services.crm.model.names import initials_of

TODAY = date(2026, 3, 2)


def kept(**typed: str) -> Details:
    """Return Mr Tom Jones with `typed` instead of his own details."""
    mine = {
        "title": "Mr",
        "given": "Tom",
        "family": "Jones",
        "email": "tom@people.example",
    }
    return details_of(CreateContact(**mine | typed), TODAY)


def test_formal_name_and_salutation_are_made_from_the_parts() -> None:
    tom = kept(given="  Tom ", family="Jones\u00a0")
    assert tom.formal_name == "Mr Tom Jones"
    assert tom.salutation == "Dear Mr Tom Jones"


@pytest.mark.parametrize(
    ("given", "family"),
    [
        ("Harriet", "Ashworth-Okafor"),
        ("Sean", "O'Farrelly"),
        ("Sean", "O\u2019Farrelly"),
        ("Ingrid", "S\u00f8rensen-Vale"),
        ("\u7f8e\u96e8", "\u6797"),
        ("\u041e\u043b\u044c\u0433\u0430", "\u041b\u0435\u0441\u043d\u0430\u044f"),
        ("\u0645\u062d\u0645\u062f", "\u0639\u0644\u064a"),
        ("\u0915\u093f\u0930\u0923", "\u0930\u093e\u0935"),
        ("Amarani", ""),
        ("", "Amarani"),
        ("T. J.", "Jones"),
        ("J", "van der Berg"),
        ("Mary Ann", "St. John"),
        ("N\u01d0", "\u1e0c\u0323"),
    ],
)
def test_names_of_all_kinds_are_welcome(given: str, family: str) -> None:
    details = kept(title="", given=given, family=family)
    assert unicodedata.normalize("NFC", family or given) in details.formal_name
    assert details.salutation.startswith("Dear ")


@pytest.mark.parametrize(
    "typed",
    [
        {"given": "", "family": ""},
        {"given": "   ", "family": ""},
        {"given": "tom"},
        {"family": "JONES"},
        {"family": "O'FARRELLY"},
        {"given": "\u043e\u043b\u044c\u0433\u0430"},
        {"given": "Tom2"},
        {"given": "T\u00b2"},
        {"given": "tom@people.example"},
        {"given": "Tom\r\nBcc: x"},
        {"given": "Tom\u2028"},
        {"given": "Tom\x00"},
        {"given": "\u202eTom"},
        {"given": "Tom\u200b"},
        {"family": "J\u043ees"},  # a Cyrillic o
        {"family": "-Jones"},
        {"family": "..."},
        {"family": "=?utf-8?q?x?="},
        {"family": "J" + "o" * 100},
        {"family": "J" + "o" * 5000},
        {"title": "MR"},
        {"title": "mr"},
        {"title": "Mr (retired)"},
        {"title": "M" + "r" * 40},
        {"formal_name": "Mr Tom Smith"},
        {"formal_name": "MR TOM JONES"},
        {"salutation": "Dear Sir or Madam"},
        {"salutation": "Dear Jones =?utf-8?q?x?="},
        {"kind": "friend"},
        {"company": "Acme =?utf-8?q?x?="},
        {"company": "Acme <acme@people.example>"},
        {"company": "A" * 101},
        {"company": "Acme\nLtd"},
        {"postcode": "ZZ1_1AA"},
        {"postcode": "Z" * 13},
        {"birth_date": "01/03/1980"},
        {"birth_date": "1980-02-30"},
        {"birth_date": "2026-03-02"},
        {"birth_date": "1880-01-01"},
        {"customer_reference": "HV;1"},
        {"customer_reference": "h\u00e9"},
    ],
)
def test_what_no_letter_could_bear_is_refused(typed: dict[str, str]) -> None:
    with pytest.raises(ContactInvalid) as refusal:
        kept(**typed)
    assert len(str(refusal.value)) > 10
    for value in typed.values():
        if len(value.strip()) > 8:
            assert value not in str(refusal.value), "an error text holds nothing typed"


@pytest.mark.parametrize(
    "email",
    [
        "",
        "tom",
        "tom@",
        "@people.example",
        "tom@localhost",
        "a@b@people.example",
        "tom jones@people.example",
        '"tom"@people.example',
        "tom@people.example,eve@people.example",
        "tom@people.example;eve@people.example",
        "tom@people.example\r\nBcc: eve@people.example",
        "tom@people.example\n",
        "tom\x00@people.example",
        "tom@people.example\u2028",
        "t\u00f6m@people.example",
        "tom@pe\u00f6ple.example",
        "=?utf-8?q?tom?=@people.example",
        "tom.@people.example",
        ".tom@people.example",
        "to..m@people.example",
        "tom%eve@people.example",
        "tom@-people.example",
        "tom@people..example",
        "tom@192.0.2.1",
        "tom@[192.0.2.1]",
        "<tom@people.example>",
        "t" * 65 + "@people.example",
        "tom@" + "a" * 64 + ".example",
        "tom@" + ".".join(["abcdefghi"] * 26) + ".example",
    ],
)
def test_an_address_that_is_not_one_plain_address_is_refused(email: str) -> None:
    with pytest.raises(ContactInvalid):
        kept(email=email)


def test_plain_addresses_keep_their_local_part_and_lose_capitals_of_the_domain() -> (
    None
):
    assert kept(email=" Tom.O'J+x@People.EXAMPLE ").email == "Tom.O'J+x@people.example"
    assert kept(email="t@xn--80ak6aa92e.example").email == "t@xn--80ak6aa92e.example"


def test_a_masked_address_shows_the_first_letter_and_the_domain() -> None:
    assert masked("tom.jones@example.com") == "t\u2022\u2022\u2022@example.com"


@pytest.mark.parametrize(
    ("typed", "postcode", "area"),
    [("zz1 1aa", "ZZ1 1AA", "ZZ1"), ("zz11aa", "ZZ1 1AA", "ZZ1"), ("", "", "")],
)
def test_a_postcode_is_kept_in_its_usual_form(
    typed: str, postcode: str, area: str
) -> None:
    assert kept(postcode=typed).postcode == postcode
    assert area_of(postcode) == area


def test_known_facts_are_named_in_a_fixed_order() -> None:
    tom = kept(customer_reference="HV-1", birth_date="1980-03-01", postcode="ZZ1 1AA")
    assert tom.facts == ("postcode", "birth_date", "customer_reference")
    assert kept(birth_date="1980-03-01").facts == ("birth_date",)


@pytest.mark.parametrize(
    ("given", "family", "initials"),
    [
        ("Tom", "Jones", "T. J."),
        ("Amarani", "", "A."),
        ("Els", "\u2019t Hooft", "E. T."),
        ("\u7f8e\u96e8", "\u6797", "\u7f8e. \u6797."),
    ],
)
def test_initials_are_first_letters(given: str, family: str, initials: str) -> None:
    assert initials_of(given, family) == initials


def test_a_title_may_be_of_any_script() -> None:
    assert kept(title="\u535a\u58eb").formal_name == "\u535a\u58eb Tom Jones"
    assert kept(title="Prof. Dr").salutation == "Dear Prof. Dr Tom Jones"


def test_staff_may_choose_how_a_person_is_addressed() -> None:
    tom = kept(formal_name="Tom  Jones Esq.", salutation="Dear Tom")
    assert (tom.formal_name, tom.salutation) == ("Tom Jones Esq.", "Dear Tom")


def test_details_do_not_print_what_they_hold() -> None:
    assert "Jones" not in repr(kept())


NAMES = st.text(
    st.one_of(
        st.characters(categories=["Lu", "Ll", "Lo", "Mn", "Mc", "Zs"]),
        st.sampled_from(" -'\u2019.\u00a0\u0301\u200b\u202e\n=?@7"),
    ),
    max_size=12,
)


@given(given_name=NAMES, family=NAMES, title=st.sampled_from(["", "Mr", "Dr"]))
def test_every_accepted_name_is_composed_and_single_spaced(
    given_name: str, family: str, title: str
) -> None:
    with suppress(ContactInvalid):
        details = kept(title=title, given=given_name, family=family)
        for name in DETAILS:
            value = getattr(details, name)
            assert value == unicodedata.normalize("NFC", value)
            assert value == " ".join(value.split())
            assert not any(unicodedata.category(c).startswith("C") for c in value)
        assert details.surname
        assert details.surname in details.formal_name


@given(st.text(max_size=30), st.text(max_size=30))
def test_every_accepted_address_is_one_ascii_address(local: str, domain: str) -> None:
    with suppress(ContactInvalid):
        email = kept(email=f"{local}@{domain}").email
        assert email.isascii()
        assert email.count("@") == 1
        assert not set(email) & set(' \r\n\t\0",;<>()')
