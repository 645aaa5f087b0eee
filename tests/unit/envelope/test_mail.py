"""Mails: what they say, what they must never say, and what cannot be smuggled in."""

from __future__ import annotations

import re
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.envelope.adapters.mail import MailComposer
from services.envelope.api import Organisation
from services.envelope.errors import MailUnsafe, OrganisationInvalid
from services.envelope.model.organisation import decide_description
from services.envelope.ports import CodeNotice, EnvelopeMail
from tests.builders import NOON
from tests.unit.envelope.world import OFFICE, RECORD, VIEWER, World

ORGANISATION = Organisation(
    name=OFFICE.name,
    registered_number=OFFICE.registered_number,
    registered_office=OFFICE.registered_office,
    help_phone=OFFICE.help_phone,
    sender_domain=OFFICE.sender_domain,
    privacy_url=OFFICE.privacy_url,
)
LINK = f"{VIEWER}/e/{'a' * 32}"
CHOICES = f"{VIEWER}/c/{'b' * 32}"
MAIL = EnvelopeMail(
    message_id="x" * 32,
    organisation=ORGANISATION,
    sender_name="Ms Anna Ferris",
    formal_name="Mr Tom Jones",
    email="tom.jones@example.com",
    reference="4821-7730",
    check="postcode",
    link=LINK,
    choices=CHOICES,
    viewer=VIEWER,
    expires_at=NOON,
    at=NOON,
)
NOTICE = CodeNotice(
    message_id="y" * 32,
    organisation=ORGANISATION,
    formal_name="Mrs Edith Holloway",
    email="edith@example.com",
    code="482113",
    expires_at=NOON,
    at=NOON,
)
HEADERS = {
    "from",
    "to",
    "subject",
    "message-id",
    "date",
    "auto-submitted",
    "list-unsubscribe",
    "mime-version",
    "content-type",
}


def read(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=default)


def parts(content: bytes) -> tuple[str, str]:
    message = read(content)
    text = message.get_body(("plain",))
    html = message.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.links += [given[name] or "" for name in ("href", "src") if name in given]
        assert not any(name.startswith("on") for name in given)
        assert "url(" not in (given.get("style") or "")


def test_an_envelope_has_exactly_the_headers_it_should() -> None:
    parcel = MailComposer().envelope(MAIL)
    message = read(parcel.content)
    assert {name.lower() for name in message.keys()} == HEADERS  # noqa: SIM118
    assert len(message.keys()) == len(HEADERS)
    assert message["From"].addresses[0].display_name == (
        "Ms Anna Ferris for Harbour & Vale Water"
    )
    assert message["From"].addresses[0].addr_spec == "no-reply@harbourvale.example"
    assert [str(a) for a in message["To"].addresses] == [
        "Mr Tom Jones <tom.jones@example.com>"
    ]
    assert message["Subject"] == (
        "A letter for you from Harbour & Vale Water, reference 4821-7730"
    )
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] == f"<{CHOICES}>"
    assert message["Message-ID"] == f"<{'x' * 32}@harbourvale.example>"
    assert (parcel.sender, parcel.recipient) == (
        "no-reply@harbourvale.example",
        "tom.jones@example.com",
    )


def test_the_text_says_what_a_recipient_needs() -> None:
    text, html = parts(MailComposer().envelope(MAIL).content)
    for words in (
        "Dear Mr Tom Jones",
        "Ms Anna Ferris of Harbour & Vale Water",
        "Monday 2 March 2026, 12:00 UTC",
        "your postcode",
        VIEWER,
        "01632 960100",
        "4821-7730",
        "do not reply",
        "You may delete this message when you have read the letter.",
        "Choose how we contact you",
        "Privacy",
    ):
        assert words in text
        if words != "Ms Anna Ferris of Harbour & Vale Water":
            assert words.replace("&", "&amp;") in html.replace("\n", " ")
    assert max(len(line) for line in text.splitlines()) <= 120


def test_one_letter_link_and_two_in_the_foot_and_nothing_remote() -> None:
    text, html = parts(MailComposer().envelope(MAIL).content)
    tags = Tags(html)
    assert tags.links == [LINK, CHOICES, ORGANISATION.privacy_url]
    assert text.count("/e/") == 1
    assert text.count(LINK) == 1
    assert not {"img", "script", "link", "iframe", "form", "object"} & set(tags.tags)


def test_a_code_is_told_with_its_end() -> None:
    text, html = parts(MailComposer().code(NOTICE).content)
    assert "Your code is 482113, valid until 12:00 UTC" in text
    assert "482113" in html
    assert "482113" not in read(MailComposer().code(NOTICE).content)["Subject"]
    assert "482113" not in repr(NOTICE)


def test_the_mail_holds_no_private_word(world: World) -> None:
    world.sent_and_posted()
    [parcel] = world.relay.taken
    text, html = parts(parcel.content)
    whole = f"{parcel.content.decode()} {text} {html}".casefold()
    private = ("canary-title", "canary-body", "complaint", RECORD, "100001", "zz1 1aa")
    for word in (*private, "zz11aa", "900001"):
        assert word.casefold() not in whole
    assert "dear mr tom jones" in whole


DOUBTFUL = (
    *("Tom\r\nBcc: all@example.org", "Tom\nBcc: x", "Tom\rBcc: x", "Tom\x00"),
    *("Tom\u2028Bcc: x", "Tom\u2029x", "Tom\u0085x", "Tom\x0bx", "Tom\x0cx"),
    *("=?utf-8?q?Tom=0D=0ABcc=3A_x?=", "=?utf-8?b?VG9tDQpCY2M6IHg=?=", "=?x"),
    *("Tom\u202eevil", "Tom\u200bJones", "\ud800", "T" * 401, "", "   "),
    *("Tom\x1b[31m", "Tom\ufeffJones", "Tom ?= Jones"),
)


@pytest.mark.parametrize("value", DOUBTFUL)
@pytest.mark.parametrize("place", ["sender_name", "formal_name"])
def test_a_name_that_is_more_than_it_shows_is_refused(place: str, value: str) -> None:
    if place == "sender_name" and not value.strip():
        return  # "for Harbour & Vale Water" is left, refused at the sending
    with pytest.raises(MailUnsafe):
        MailComposer().envelope(replace(MAIL, **{place: value}))


@pytest.mark.parametrize("value", [word for word in DOUBTFUL if word.strip()])
def test_an_organisation_that_is_more_than_it_shows_is_refused(value: str) -> None:
    evil = replace(ORGANISATION, name=value)
    with pytest.raises(MailUnsafe):
        MailComposer().envelope(replace(MAIL, organisation=evil))
    with pytest.raises(MailUnsafe):
        MailComposer().code(replace(NOTICE, organisation=evil))
    if value.strip() == value:
        with pytest.raises(OrganisationInvalid):
            decide_description(Organisation(), replace(OFFICE, name=value))


@pytest.mark.parametrize(
    "address",
    [
        *("", "tom", "tom@", "@example.com", "tom@@example.com", "tom@a@example.com"),
        *("tom@example.com, eve@example.org", "tom @example.com", "tom@example"),
        *('"tom x"@example.com', "<tom@example.com>", "tom@ex\u00e4mple.de"),
        *("tom@example.com\r\nBcc: eve@example.org", "tom@example.com\n"),
        *("t\u00f6m@example.com", "tom@-a.example", "tom@example..com"),
        *(".tom@example.com", "tom.@example.com", "a" * 250 + "@b.cd"),
        *("tom@example.com>", "tom@[127.0.0.1]", "tom\x00@example.com"),
        "tom;@example.com",
    ],
)
def test_only_one_plain_address_is_mailed_to(address: str) -> None:
    with pytest.raises(MailUnsafe):
        MailComposer().envelope(replace(MAIL, email=address))


@pytest.mark.parametrize(
    "name",
    [
        *("王小明", "Mrs Zoë O\u2019Brien-Núñez", 'Mr "Tom" Jones'),
        *("Dr J. R. (Bob) Smith, MD", "Ms " + "Long-" * 20 + "Name"),
        *("Mr <Tom> Jones", "Mr Tom, Eve Jones;", "Mr Tom\\ Jones"),
        *("Бабушка Ивановна " * 6, "Tom: Jones@evil.example"),
    ],
)
def test_an_odd_name_arrives_as_it_is_or_not_at_all(name: str) -> None:
    try:
        parcel = MailComposer().envelope(replace(MAIL, formal_name=name.strip()))
    except MailUnsafe:
        return
    [address] = read(parcel.content)["To"].addresses
    assert address.display_name == name.strip()
    assert address.addr_spec == MAIL.email


@given(name=st.text(max_size=80), sender=st.text(max_size=80))
def test_no_text_in_a_name_changes_the_shape_of_the_mail(
    name: str, sender: str
) -> None:
    try:
        parcel = MailComposer().envelope(
            replace(MAIL, formal_name=name, sender_name=sender)
        )
    except MailUnsafe:
        return
    message = read(parcel.content)
    assert {key.lower() for key in message.keys()} == HEADERS  # noqa: SIM118
    assert len(message["To"].addresses) == len(message["From"].addresses) == 1
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", parcel.content)


@given(name=st.text(max_size=60))
def test_no_text_in_a_name_becomes_markup(name: str) -> None:
    try:
        parcel = MailComposer().envelope(replace(MAIL, formal_name=f"{name}<b>x"))
    except MailUnsafe:
        return
    assert "b" not in Tags(parts(parcel.content)[1]).tags


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "12"},
        {"name": "Evil <x@y.example>"},
        {"help_phone": ""},
        {"help_phone": "ring us"},
        {"sender_domain": "example"},
        {"sender_domain": "exa mple.org"},
        {"sender_domain": "example.org\r\nX: y"},
        {"privacy_url": "http://example.org/privacy"},
        {"privacy_url": "javascript:alert(1)"},
        {"privacy_url": "https://example.org/a b"},
        {"registered_office": "1 Quay\nStreet"},
    ],
)
def test_an_unusable_description_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(OrganisationInvalid):
        decide_description(Organisation(), replace(OFFICE, **change))


def test_describing_the_same_again_changes_nothing() -> None:
    assert decide_description(ORGANISATION, OFFICE) == []
    assert len(decide_description(Organisation(), OFFICE)) == 1
