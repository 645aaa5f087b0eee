"""The main job at the portal: find, preview, check, send, follow, disable."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from services.audit.commands import GetTrail
from services.envelope.commands import GetMessages
from shared.ids import mint
from tests.builders import a_context
from tests.unit.portal.web_house import HIDDEN, Browser, House, open_house, place, words


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture
def anna(house: House) -> Browser:
    return house.browser("anna")


def send(
    browser: Browser, contact: str, page: str, record: str = "", **more: str
) -> TestResponse:
    """Press Send as a browser with script does: the preview was shown."""
    fields = {"page": page, "record": record, "seen": f"{page} {record}", "act": "send"}
    return browser.act(f"/contacts/{contact}/new", {**fields, **more})


def sent_to(house: House, contact: str) -> int:
    house.settle()
    context = a_context(actor_id=house.ids.staff["anna"], role="sender")
    request = GetMessages(contact_id=contact)
    return len(house.apis.envelope.messages(request, context).rows)


def refusals(house: House) -> list[tuple[str, str | None]]:
    house.settle()
    context = a_context(actor_id=house.ids.staff["dev"], role="compliance")
    trail = house.apis.audit.trail(GetTrail(type_name="Refused"), context)
    return [(line.detail or "", line.reason) for line in trail.lines]


def test_a_search_shows_look_alikes_apart_and_keeps_names_out_of_addresses(
    house: House, anna: Browser
) -> None:
    for path in ("/contacts", "/contacts/find"):
        page = anna.post(path, {"q": "jones tom"})
        if path == "/contacts":
            page = anna.again(page)
        told = words(page)
        assert "2 contacts" in told
        assert "Postcode ZZ1" in told
        assert "Postcode ZZ9" in told
        assert told.count("nearly the same name") == 2
        assert "tom.jones@" not in told
        links = re.findall(r'(?:href|action)="([^"]*)"', page.text)
        assert not [link for link in links if "jones" in link.casefold()]


def test_the_search_answers_a_plain_address_too(anna: Browser) -> None:
    assert "Mrs Edith Holloway" in anna.get("/contacts?q=edith").text
    assert "Nobody found" in anna.get("/contacts?q=zzzzzz").text


def test_the_message_list_has_the_three_columns(house: House, anna: Browser) -> None:
    edith = house.ids.contacts["edith"]
    assert "No messages yet" in words(anna.get(f"/contacts/{edith}"))
    assert send(anna, edith, "165104", "165100-205306").status_code == 303
    told = words(anna.get(f"/contacts/{edith}"))
    for column in ("Sent", "Link first opened (may be automatic)", "Viewed", "Sender"):
        assert column in told
    assert "Add new" in told


def test_the_preview_says_what_will_be_sent(house: House, anna: Browser) -> None:
    tom = house.ids.contacts["tom"]
    page = anna.post(
        f"/contacts/{tom}/new/preview", {"page": "165104", "record": "165100-204817"}
    )
    told = words(page)
    assert "Mr Tom Jones, t•••@people.example" in told
    assert "Complaint acknowledged" in told
    assert "Dear Mr Tom Jones" in told
    assert "types their postcode" in told
    assert "until Wednesday 2 December 2026, 14:05 UTC" in told
    assert "easily mistaken" in told
    assert 'data-pp-seen="165104 165100-204817"' in page.text
    assert sent_to(house, tom) == 0


def test_words_of_the_title_find_the_page(house: House, anna: Browser) -> None:
    path = f"/contacts/{house.ids.contacts['tom']}/new/preview"
    assert "page 165124" in words(anna.post(path, {"page": "read your meter"}))
    assert "No approved letter" in words(anna.post(path, {"page": "unheard of"}))
    many = words(anna.post(path, {"page": "your"}))
    assert "letters match" in many
    assert "165120" in many
    assert "165124" in many


@pytest.mark.parametrize(
    ("page", "record", "sentence", "code"),
    [
        ("165104", "165100-205306", "belongs to another person", "record_not_theirs"),
        ("165110", "", "not approved", "letter_not_approved"),
        ("165104", "", "none was named", "record_missing"),
        ("165104", "165100-999999", "no record", "record_unknown"),
        ("999999", "", "no page", "page_unknown"),
    ],
)
def test_a_refused_sending_is_explained_and_is_evidence(
    house: House, anna: Browser, page: str, record: str, sentence: str, code: str
) -> None:
    tom = house.ids.contacts["tom"]
    answer = anna.wrong(send(anna, tom, page, record))
    assert "<title>Error: New message" in answer.text
    assert sentence in words(answer)
    field = "page" if code in {"letter_not_approved", "page_unknown"} else "record"
    assert f'href="#{field}"' in answer.text
    assert f'name="page" value="{page}"' in answer.text
    assert ("operation=send", code) in refusals(house)
    assert sent_to(house, tom) == 0


def test_a_mailed_code_comes_with_the_way_to_a_known_fact(
    house: House, anna: Browser
) -> None:
    edith = house.ids.contacts["edith"]
    page = anna.post(f"/contacts/{edith}/new/preview", {"page": "165124"})
    assert "mail a one-time code" in words(page)
    assert f"/contacts/{edith}/details?page=165124#postcode" in page.text


def test_a_missing_fact_links_to_the_details(house: House, anna: Browser) -> None:
    edith = house.ids.contacts["edith"]
    before = sent_to(house, edith)
    answer = anna.wrong(send(anna, edith, "165128", days="3"))
    assert "put right in the contact's details, not here" in words(answer)
    way = f"/contacts/{edith}/details?page=165128&days=3"
    assert f'href="{html.escape(way)}#postcode"' in answer.text
    details = anna.get(way)
    assert "Save and go back to the message" in words(details)
    assert 'id="postcode"' in details.text
    known = {"kind": "customer", "given": "Edith", "family": "Holloway",
             "email": "edith.holloway@people.example"}  # fmt: skip
    bad = anna.wrong(anna.act(way, {**known, "postcode": "!!"}))
    assert "Save and go back to the message" in words(bad)
    back = place(anna.act(way, {**known, "postcode": "zz4 4aa"}))
    assert back.startswith(f"/contacts/{edith}/new?")
    page = anna.get(back)
    assert "The details are changed." in words(page)
    assert 'name="page" value="165128"' in page.text
    assert '<option value="3" selected>' in page.text
    assert "types their postcode" in words(page)
    old = anna.get(f"/contacts/{edith}/new?kept=yes")  # back to where it was refused
    assert "There is a problem" not in words(old)
    assert 'name="page" value="165128"' in old.text
    assert sent_to(house, edith) == before


def test_only_well_formed_choices_come_back_to_the_send_page(
    house: House, anna: Browser
) -> None:
    sean = house.ids.contacts["sean"]
    page = anna.get(f"/contacts/{sean}/new?page=165124&record=%3Cb%3E&days=99").text
    assert 'name="page" value="165124"' in page
    assert 'name="record" value=""' in page
    assert '<option value="7" selected>' in page
    assert 'name="page" value=""' in anna.get(f"/contacts/{sean}/new?page=words").text


def test_a_contact_who_asked_for_no_contact_is_not_written_to(
    house: House, anna: Browser
) -> None:
    olga = house.ids.contacts["olga"]
    fields = {"stops": ["all"], "told": "telephone"}
    assert anna.act(f"/contacts/{olga}/choices", fields).status_code == 303
    assert "No contact at all" in words(anna.get(f"/contacts/{olga}/choices"))
    assert "asked not to be" in words(anna.get(f"/contacts/{olga}"))
    stopped = anna.wrong(send(anna, olga, "165120"))
    assert "asked not to be contacted" in words(stopped)
    assert f'href="/contacts/{olga}/choices?page=165120&amp;days=7"' in stopped.text
    assert anna.act(f"/contacts/{olga}/choices", {"told": "letter"}).status_code == 303
    assert "No contact at all" not in words(anna.get("/contacts?q=HV-40233"))


def test_nothing_unusual_is_sent_at_once_and_can_be_undone(
    house: House, anna: Browser
) -> None:
    answer = send(anna, house.ids.contacts["harriet"], "165120")
    assert answer.status_code == 303
    page = anna.get(place(answer))
    told = words(page)
    assert "The letter is accepted" in told
    assert "What happens next" in told
    assert "Ms Harriet Ashworth-Okafor gets an e-mail" in told
    assert "Approved by Mrs Carol Whitmore" in told
    assert "Ms Anna Ferris · page 165120, edition 1" in told
    path = place(answer).partition("?")[0]
    undone = anna.act(f"{path}/undo")
    assert "The sending is undone" in words(anna.get(place(undone)))
    assert "Cancelled" in words(anna.get(path))
    stale = words(anna.get(place(answer)))  # the address that said "sent"
    assert "The letter is accepted" not in stale
    assert "What happens next" not in stale
    assert "Cancelled" in stale


def test_without_script_a_check_page_asks_first(house: House, anna: Browser) -> None:
    sean = house.ids.contacts["sean"]
    answer = anna.again(send(anna, sean, "165124", seen=""))
    told = words(answer)
    assert "Check before sending" in told
    assert "Mr Sean O'Farrelly" in told
    assert sent_to(house, sean) == 0
    fields = dict(HIDDEN.findall(answer.text[answer.text.index("<main") :]))
    final = anna.post(f"/contacts/{sean}/new", {**fields, "act": "send"}, token=False)
    assert "done=sent" in place(final)
    assert sent_to(house, sean) == 1
    back = anna.get(f"/contacts/{sean}/new?kept=yes")
    assert "Check before sending" not in words(back)  # nothing to send twice
    assert 'name="page" value=""' in back.text


def test_a_look_alike_is_checked_even_after_a_preview(
    house: House, anna: Browser
) -> None:
    tomas = house.ids.contacts["tomas"]
    told = words(anna.again(send(anna, tomas, "165120")))
    assert "Check before sending" in told
    assert "easily mistaken" in told
    assert "ZZ9 4QT" in told
    assert sent_to(house, tomas) == 0


def test_the_same_letter_again_within_a_day_is_checked(
    house: House, anna: Browser
) -> None:
    robin = house.ids.contacts["robin"]
    assert send(anna, robin, "165124").status_code == 303
    again = anna.again(send(anna, robin, "165124"))
    assert "within the last 24 hours" in words(again)
    assert sent_to(house, robin) == 1


def test_pressing_send_twice_sends_once(house: House, anna: Browser) -> None:
    nadia, command = house.ids.contacts["nadia"], str(mint())
    first = send(anna, nadia, "165120", command_id=command)
    second = send(anna, nadia, "165120", command_id=command)
    assert place(first).split("&")[0] == place(second).split("&")[0]
    assert sent_to(house, nadia) == 1


def test_the_preview_button_sends_nothing(house: House, anna: Browser) -> None:
    lin = house.ids.contacts["lin"]
    page = anna.again(send(anna, lin, "165120", act="preview"))
    assert "ll-paper" in page.text
    picked = anna.again(send(anna, lin, "", pick_page="165124", act=""))
    assert 'name="page" value="165124"' in picked.text
    assert sent_to(house, lin) == 0


def test_what_was_sent_last_is_offered_first(house: House, anna: Browser) -> None:
    assert send(anna, house.ids.contacts["digby"], "165124").status_code == 303
    page = anna.get(f"/contacts/{house.ids.contacts['ingrid']}/new")
    assert "You sent last" in page.text
    assert page.text.index("165124") < page.text.index("165136")


def test_default_focus_is_on_the_first_field_not_on_send(
    house: House, anna: Browser
) -> None:
    page = anna.get(f"/contacts/{house.ids.contacts['tom']}/new").text
    focused = re.findall(r"<(\w+)[^>]*\sautofocus", page)
    assert focused == ["input"]
    assert "data-ll-ctrl-enter" in page
    first = re.search(r"<button[^>]*>", page[page.index("<main") :])
    assert first
    assert 'value="preview"' in first[0]  # what Enter in a field presses


@pytest.fixture
def message(house: House, anna: Browser) -> str:
    """Send a message and return its path."""
    answer = send(
        anna, house.ids.contacts["amarani"], "165124", days="3", confirmed="165124 "
    )
    return place(answer).partition("?")[0]


def test_a_shorter_life_is_obeyed(anna: Browser, message: str) -> None:
    assert "until Saturday 28 November 2026, 14:05 UTC" in words(anna.get(message))


def test_disabling_asks_for_a_reason_and_tells_what_had_been_seen(
    anna: Browser, message: str
) -> None:
    page = words(anna.get(f"{message}/disable"))
    assert "The link dies at once" in page
    assert "What has been seen so far" in page
    empty = anna.wrong(anna.act(f"{message}/disable", {"reason": ""}))
    assert 'href="#reason"' in empty.text
    done = anna.act(f"{message}/disable", {"reason": "wrong_letter"})
    told = words(anna.get(place(done)))
    assert "The envelope is disabled" in told
    assert "had not been viewed" in told
    assert "Expiry changed Disabled" in told
    assert "Disable the envelope" not in told
    for act in ("sent", "expiry", "renewed", "cancelled", "made-up"):
        stale = words(anna.get(f"{message}?done={act}"))
        assert "Disabled" in stale
        for outcome in ("is accepted", "is changed", "on its way", "is undone"):
            assert outcome not in stale


def test_an_expiry_in_the_year_2000_disables(anna: Browser, message: str) -> None:
    fields = {"day": ["1", "1", "2000"], "time": "00:00", "reason": "other"}
    done = anna.act(f"{message}/expiry", dict(fields))
    assert "done=disabled" in place(done)
    assert "1 January 2000, 00:00 UTC" in words(anna.get(message))


def test_an_expiry_cannot_be_later_than_it_was(anna: Browser, message: str) -> None:
    fields = {"day": ["1", "1", "2030"], "time": "00:00", "reason": "other"}
    answer = anna.wrong(anna.act(f"{message}/expiry", dict(fields)))
    assert 'value="2030"' in answer.text


def test_a_fresh_link_is_offered_once_the_first_has_left(
    house: House, anna: Browser, message: str
) -> None:
    assert "Every earlier link" in words(anna.get(f"{message}/renew"))
    assert "Send a fresh link" not in words(anna.get(message))
    assert anna.act(f"{message}/renew").status_code >= 400
    house.clock.move(timedelta(minutes=1))
    while house.core.envelope.postman.run_once():
        house.clock.move(timedelta(minutes=10))
    anna = house.browser("anna")
    told = words(anna.get(f"{message}?done=sent"))
    assert "on its way to the mail system" in told
    assert "Until then you can undo it" not in told
    assert "Send a fresh link" in words(anna.get(message))
