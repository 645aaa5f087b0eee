"""The other pages: home, contacts, letters, requests, evidence, staff, organisation."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from services.portal.web.words import ROLES
from tests.unit.portal.web_house import Browser, House, open_house, place, words


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("person", "sentences"),
    [
        ("anna", ["Find a contact", "Nothing needs you", "Latest contacts"]),
        ("ben", ["Letters you write", "Your latest letters", "Change of tariff"]),
        ("carol", ["Waiting for approval", "Planned interruption of supply"]),
        ("dev", ["Find a contact", "Latest evidence", "The whole trail"]),
        ("ada", ["Find a contact", "Staff and roles", "Organisation"]),
    ],
)
def test_every_role_has_a_useful_home(
    house: House, person: str, sentences: list[str]
) -> None:
    told = words(house.browser(person).get("/"))
    assert [sentence for sentence in sentences if sentence not in told] == []


def test_help_names_the_keys(house: House) -> None:
    told = words(house.browser("anna").get("/help"))
    assert "Ctrl Enter" in told
    assert "Accessibility" in told


class TestContacts:
    def new(self, house: House, **fields: object) -> TestResponse:
        sent = {"kind": "customer", "email": "someone@people.example", **fields}
        return house.browser("anna").act("/contacts/new", sent)

    def test_a_contact_is_entered_and_shown(self, house: House) -> None:
        answer = self.new(
            house, title="Ms", given="Wren", family="D'Arcy", postcode="zz8 8zz"
        )
        page = house.browser("anna").get(place(answer))
        assert "Ms Wren D'Arcy" in words(page)
        assert "The contact is entered." not in words(page)  # another browser's notice

    def test_what_is_missing_is_linked_and_kept(self, house: House) -> None:
        anna = house.browser("anna")
        fields = {"kind": "customer", "given": "Wren", "email": ""}
        answer = anna.wrong(anna.act("/contacts/new", dict(fields)))
        assert "<title>Error: New contact" in answer.text
        assert 'href="#email"' in answer.text
        assert 'value="Wren"' in answer.text

    def test_of_an_empty_form_everything_missing_is_named_and_linked(
        self, house: House
    ) -> None:
        anna = house.browser("anna")
        page = anna.wrong(anna.act("/contacts/new"))
        summary = page.text[page.text.index("error-summary__list") :]
        links = re.findall(r'<a href="#([^"]+)">([^<]+)</a>', summary)
        assert links == [
            ("kind", "Choose the kind"),
            ("given", "Enter the given name, the family name, or both"),
            ("email", "Enter the e-mail address"),
        ]
        for field, _told in links:
            assert f'id="{field}"' in page.text

    def test_a_detail_of_poor_quality_is_blamed_at_its_field(
        self, house: House
    ) -> None:
        anna = house.browser("anna")
        poor = {"kind": "customer", "given": "wren", "family": "SHOUTED",
                "email": "no address"}  # fmt: skip
        answer = anna.wrong(anna.act("/contacts/new", dict(poor)))
        assert re.search(r'href="#(email|given|family)"', answer.text)
        odd_postcode = {"family": "Wrenfield", "email": "w@people.example",
                        "kind": "customer", "postcode": "!!"}  # fmt: skip
        odd = anna.wrong(anna.act("/contacts/new", dict(odd_postcode)))
        assert 'href="#postcode"' in odd.text

    def test_details_change(self, house: House) -> None:
        robin, anna = house.ids.contacts["robin"], house.browser("anna")
        page = anna.get(f"/contacts/{robin}/details")
        assert 'value="Penhallow"' in page.text
        fields = {"kind": "customer", "title": "Mx", "given": "Robin",
                  "family": "Penhallow", "email": "robin.penhallow@people.example",
                  "birth_date": ["5", "4", "1980"]}  # fmt: skip
        answer = anna.act(f"/contacts/{robin}/details", dict(fields))
        assert answer.status_code == 303
        again = anna.get(place(answer))
        assert "The details are changed." in words(again)
        assert 'value="1980"' in again.text

    def test_an_officer_reads_details_and_changes_none(self, house: House) -> None:
        page = house.browser("dev").get(
            f"/contacts/{house.ids.contacts['tom']}/details"
        )
        assert "Save changes" not in page.text
        assert "tom.jones@" not in page.text
        assert "Erase this person" in page.text

    def test_an_administrator_is_led_to_details_not_to_messages(
        self, house: House
    ) -> None:
        page = house.browser("ada").get("/contacts?q=edith")
        edith = house.ids.contacts["edith"]
        assert f'href="/contacts/{edith}/details"' in page.text
        assert f'href="/contacts/{edith}"' not in page.text

    def test_erasing_needs_a_reason_and_a_tick(self, house: House) -> None:
        dev, owen = house.browser("dev"), house.ids.contacts["owen"]
        path = f"/contacts/{owen}/erase"
        assert "cannot be undone" in words(dev.get(path))
        empty = dev.wrong(dev.act(path, {"reason": "person_asked"}))
        assert 'href="#sure"' in empty.text
        fields = {"reason": "person_asked", "sure": "y"}
        assert dev.act(path, dict(fields)).status_code == 303
        assert dev.get(f"/contacts/{owen}/details").status_code in {404, 410}
        assert "Blakely" not in dev.get("/contacts?q=blakely").text


class TestLetters:
    BODY = "{{salutation}}\n\nYour bin comes on Monday.\n\n{{sender_name}}"

    def write(self, house: House, **fields: object) -> TestResponse:
        sent = {"title": "Bins", "body": self.BODY, "kind": "note",
                "page_type": "letter", "act": "save", **fields}  # fmt: skip
        return house.browser("ben").act("/letters/new", sent)

    def test_the_list_is_filtered(self, house: House) -> None:
        anna = house.browser("anna")
        assert "Change of tariff" in words(anna.get("/letters?status=draft"))
        assert "Change of tariff" not in words(anna.get("/letters?status=approved"))
        assert "1 page" in words(anna.get("/letters?q=tariff"))
        assert "No page fits" in words(anna.get("/letters?q=unheard+of"))

    def test_from_draft_to_approved_by_two_people(self, house: House) -> None:
        ben, carol = house.browser("ben"), house.browser("carol")
        path = place(self.write(house, act="submit")).partition("?")[0]
        assert "Waiting for approval" in words(ben.get(path))
        review = carol.get(f"{path}/review")
        assert "Your bin comes on Monday." in words(review)
        revision = {"revision": "1", "letter_class": "private", "purpose": "service"}
        done = carol.act(f"{path}/review", {**revision, "act": "approve"})
        assert "approved and can be sent" in words(carol.get(place(done)))
        sent = {"title": "Bins", "body": self.BODY.replace("Monday", "Friday"),
                "kind": "note", "page_type": "letter", "act": "submit"}  # fmt: skip
        ben.act(f"{path}/edit", dict(sent))
        page = carol.get(f"{path}/review")
        assert re.search(r"<del>.*?Monday.*?</del>", page.text, re.DOTALL)
        assert re.search(r"<ins>.*?Friday.*?</ins>", page.text, re.DOTALL)
        back = carol.wrong(
            carol.act(f"{path}/review", {**revision, "revision": "2", "act": "return"})
        )
        assert 'href="#reason"' in back.text
        reason = {"revision": "2", "act": "return", "reason": "Say which week."}
        carol.act(f"{path}/review", {**revision, **reason})
        told = words(ben.get(path))
        assert "Say which week." in told
        assert "Edition 1" in told
        gone = carol.act(f"{path}/withdraw", {"reason": "No longer true"})
        assert "cannot be sent any more" in words(carol.get(place(gone)))

    def test_a_placeholder_nobody_knows_blocks_the_submitting_not_the_draft(
        self, house: House
    ) -> None:
        ben = house.browser("ben")
        sent = {"title": "Gap", "body": "{{nonsense}}", "kind": "note",
                "page_type": "letter", "act": "submit"}  # fmt: skip
        answer = ben.wrong(ben.act("/letters/new", dict(sent)))
        assert "The draft is kept, but not submitted." in words(answer)
        assert "nonsense" in words(answer)
        assert re.search(r'action="/letters/\d{6}/edit"', answer.text)

    def test_the_preview_merges_and_names_what_is_unknown(self, house: House) -> None:
        ben = house.browser("ben")
        fields = {"title": "T", "body": "{{salutation}} {{odd}} **loud**"}
        page = ben.post("/letters/preview", dict(fields))
        assert "<strong>loud</strong>" in page.text
        assert "Not a detail this page can merge" in page.text
        plain = ben.again(
            ben.act("/letters/new", {**fields, "kind": "note", "act": "preview"})
        )
        assert "<strong>loud</strong>" in plain.text

    def test_markup_in_a_letter_stays_text(self, house: House) -> None:
        fields = {"title": "<b>T</b>", "body": "<script>alert(1)</script> <img src=x>"}
        ben = house.browser("ben")
        page = ben.again(
            ben.act("/letters/new", {**fields, "kind": "note", "act": "preview"})
        )
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "<b>T</b>" not in page.text

    def test_a_form_page_keeps_its_fields(self, house: House) -> None:
        ben = house.browser("ben")
        page = ben.get("/letters/165100/edit")
        assert 'value="Bill, Supply, Meter, Visit, Something else"' in page.text
        fields = {"title": "Move", "body": "Details of your move.", "kind": "workflow",
                  "page_type": "form", "act": "save", "label_0": "New address",
                  "type_0": "address", "required_0": "y", "label_1": "2nd date",
                  "type_1": "date"}  # fmt: skip
        answer = ben.act("/letters/new", dict(fields))
        assert answer.status_code == 303
        told = words(ben.get(place(answer)))
        assert "New address, 2nd date" in told
        again = ben.get(place(answer).partition("?")[0] + "/edit").text
        assert 'value="new_address"' in again
        untitled = {**fields, "title": "", "label_1": "", "type_1": ""}
        wrong = ben.wrong(ben.act("/letters/new", dict(untitled)))
        assert 'name="page_type" value="form"' in wrong.text
        assert 'value="New address"' in wrong.text
        assert "2nd date" not in wrong.text
        assert wrong.text.count(' value="y" checked') == 1

    def test_an_edition_that_may_not_be_submitted_says_why_in_the_editor(
        self, house: House
    ) -> None:
        ben = house.browser("ben")
        sent = {"title": "Unfit", "body": "{{nonsense}}", "kind": "note",
                "page_type": "letter", "act": "save"}  # fmt: skip
        path = place(ben.act("/letters/new", dict(sent))).partition("?")[0]
        page = ben.wrong(ben.act(f"{path}/submit"))
        assert 'value="Unfit"' in page.text
        assert 'href="#body"' in page.text

    def test_a_sender_reads_a_letter_laid_out_with_what_is_merged_named(
        self, house: House
    ) -> None:
        page = house.browser("anna").get("/letters/165104")
        told = words(page)
        assert "[Salutation]" in told
        assert "[Request: received]" in told
        assert "What is marked is filled in for each person." in told
        assert "## What happens next" not in told
        assert "**" not in told
        assert "Dear Ms Sam Sample" in words(
            house.browser("ben").get("/letters/165104")
        )

    def test_an_old_edition_can_be_compared(self, house: House) -> None:
        path = place(self.write(house, title="Older")).partition("?")[0]
        changed = {"title": "Newer", "body": self.BODY, "kind": "note",
                   "page_type": "letter", "act": "save"}  # fmt: skip
        house.browser("ben").act(f"{path}/edit", dict(changed))
        page = house.browser("anna").get(f"{path}?from=1&to=2")
        assert "What changed from edition 1 to 2" in words(page)
        assert "[removed: Older]" in words(page)
        assert house.browser("anna").get(f"{path}?from=x&to=99").status_code == 200


class TestRequests:
    def test_a_request_is_recorded_on_a_form(self, house: House) -> None:
        anna, edith = house.browser("anna"), house.ids.contacts["edith"]
        assert "Complaint" in words(anna.get(f"/contacts/{edith}/requests/new"))
        story = "<script>alert('x')</script> & so on"
        fields = {"page": "165100", "field_subject": "Meter", "field_story": story,
                  "field_received": ["19", "11", "2026"]}  # fmt: skip
        answer = anna.act(f"/contacts/{edith}/requests/new", dict(fields))
        assert answer.status_code == 303
        page = anna.get(place(answer))
        assert "The request is recorded." in words(page)
        number = max(set(re.findall(r"165100-\d{6}", page.text)) - {"165100-205306"})
        shown = anna.get(f"/requests/{number}")
        assert "19 November 2026" in words(shown)
        assert "<script>alert" not in shown.text
        assert story in words(shown)

    def test_a_missing_or_wrong_value_is_linked(self, house: House) -> None:
        path = f"/contacts/{house.ids.contacts['edith']}/requests/new"
        anna = house.browser("anna")
        empty = anna.wrong(anna.act(path, {"page": "165100"}))
        assert 'href="#field_subject"' in empty.text
        fields: dict[str, object] = {
            "page": "165100",
            "field_subject": "Meter",
            "field_amount": "plenty",
            "field_story": "Yes.",
            "field_received": ["19", "11", "2026"],
        }
        wrong = anna.wrong(anna.act(path, fields))
        assert 'href="#field_amount"' in wrong.text

    def test_a_contact_without_requests_sees_none_of_others(self, house: House) -> None:
        page = house.browser("anna").get(
            f"/contacts/{house.ids.contacts['sean']}/requests"
        )
        assert "No requests" in words(page)


class TestEvidence:
    def test_the_trail_says_it_in_words_and_by_its_name(self, house: House) -> None:
        told = words(house.browser("dev").get("/evidence"))
        assert "Letter approved" in told
        assert "LetterApproved" in told

    def test_it_is_filtered_by_event_and_contact(self, house: House) -> None:
        dev, tom = house.browser("dev"), house.ids.contacts["tom"]
        page = dev.get(f"/evidence?type=ContactCreated&contact={tom}")
        assert "1 fact, newest first" in words(page)
        assert "not the id of a contact" in words(dev.get("/evidence?contact=jones"))

    def test_it_goes_on_in_pages(self, house: House) -> None:
        dev = house.browser("dev")
        link = re.search(
            r'href="([^"]*before=\d+)" rel="next"', dev.get("/evidence").text
        )
        assert link
        older = dev.get(link[1].replace("&amp;", "&"))
        assert "Contact entered" in words(older)
        assert 'rel="prev"' in older.text

    def test_the_table_holds_the_same_facts(self, house: House) -> None:
        answer = house.browser("dev").get("/evidence.csv?type=LetterApproved")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert rows
        assert {row["event"] for row in rows} == {"LetterApproved"}
        assert answer.mimetype == "text/csv"


class TestStaff:
    def test_a_member_is_invited_and_gets_a_link_once(self, house: House) -> None:
        ada = house.browser("ada")
        fields = {"formal_name": "Mr Eli Moss", "email": "eli@harbourvale.example",
                  "roles": ["sender", "author"]}  # fmt: skip
        answer = ada.act("/staff/new", dict(fields))
        page = ada.get(place(answer))
        assert "Mr Eli Moss" in words(page)
        linked = ada.act(place(answer) + "/link")
        secret = re.search(r'/sign-in/link/([^"<]+)', linked.text)
        assert secret
        assert secret[1] not in ada.get(place(answer)).text
        guest = house.browser()
        assert place(guest.post(f"/sign-in/link/{secret[1]}")) == "/"
        assert "Mr Eli Moss" in words(guest.get("/"))

    def test_a_wrong_detail_is_blamed(self, house: House) -> None:
        ada = house.browser("ada")
        answer = ada.wrong(ada.act("/staff/new", {"formal_name": "Mr Eli Moss"}))
        assert 'href="#email"' in answer.text

    def test_roles_change_and_the_last_administrator_stays(self, house: House) -> None:
        ada, ids = house.browser("ada"), house.ids.staff
        dev = house.browser("dev")
        path = f"/staff/{ids['dev']}"
        assert ada.act(path, {"roles": ["sender"]}).status_code == 303
        assert dev.get("/evidence").status_code == 303  # signed out
        assert house.browser("dev").get("/evidence").status_code == 403
        assert ada.act(path, {"roles": ["compliance"]}).status_code == 303
        answer = ada.wrong(ada.act(f"/staff/{ids['ada']}", {"roles": ["sender"]}))
        assert "administrator" in words(answer)

    def test_every_role_is_explained(self, house: House) -> None:
        told = words(house.browser("ada").get("/staff/new"))
        assert all(sentence in told for sentence in ROLES.values())


def test_a_password_is_chosen_and_ends_other_sessions(house: House) -> None:
    here, elsewhere = house.browser("carol"), house.browser("carol")
    weak = here.wrong(here.act("/account", {"password": "short"}))
    assert 'href="#password"' in weak.text
    assert "short" not in re.sub(r"too short|short or", "", weak.text)
    done = here.act("/account", {"password": "seven calm herons wade"})
    assert done.status_code == 303
    assert here.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 303


def test_the_organisation_is_described(house: House) -> None:
    ada = house.browser("ada")
    page = ada.get("/organisation").text
    assert 'value="Harbour &amp; Vale Water"' in page
    fields = {"name": "Harbour & Vale", "registered_number": "00000000",
              "registered_office": "1 Quay Street,\r\nExampleton",
              "help_phone": "01632 960100", "sender_domain": "harbourvale.example",
              "privacy_url": "https://www.harbourvale.example/privacy"}  # fmt: skip
    assert ada.act("/organisation", dict(fields)).status_code == 303
    assert "1 Quay Street, Exampleton" in ada.get("/organisation").text
    ada.wrong(
        ada.act("/organisation", {**fields, "privacy_url": "javascript:alert(1)"})
    )


def test_pages_that_hold_people_are_never_kept_by_the_browser(house: House) -> None:
    tom = house.ids.contacts["tom"]
    browser: Browser = house.browser("anna")
    for path in (f"/contacts/{tom}", f"/contacts/{tom}/details", "/contacts?q=tom"):
        assert browser.get(path).headers["Cache-Control"] == "no-store"
