"""The main job in a real browser, by keyboard alone, wide and phone-sized."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser

from services.walk import LETTER_LINK
from tests.browser.windows import Window, a_window
from tests.systems import System
from tests.waiting import LONG

pytestmark = pytest.mark.integration
EDITHS, TOMS = "165100-205306", "165100-204817"


def send_to_tom(anna: Window, system: System) -> str:
    """Do all that Anna does; return the envelope's page address."""
    anna.go(system.sign_in_link("anna"))
    anna.look("sign-in-link")
    anna.tab_to("Sign in")
    anna.press("Enter")
    anna.wait_for_text("Find a contact")
    anna.look("home")
    anna.press("/")
    anna.tab_to("Name, reference or postcode")
    anna.type("jones tom")
    anna.wait_for_text("Mr Tomas Jones")
    anna.look("found")
    anna.press("ArrowDown")
    assert anna.focused().startswith("Mr Tom Jones")
    anna.press("Enter")
    anna.page.wait_for_url(re.compile(r"/contacts/[0-9a-f]{32}$"))
    anna.look("contact")
    anna.press("n")
    anna.page.wait_for_url(re.compile(r"/new$"))
    anna.tab_to("Page number")
    anna.type("165104")
    anna.tab_to("Record key")
    anna.type(EDITHS)
    anna.press("Control+Enter")
    anna.wait_for_error()
    anna.wait_for_text("belongs to another person")
    anna.look("send-refused")
    anna.tab_to("Record key")
    anna.press("Control+a")
    anna.type(TOMS)
    anna.wait_for_text("Dear Mr Tom Jones")
    anna.look("send")
    anna.press("Control+Enter")
    anna.wait_for_text("Check before sending")
    anna.look("check")
    anna.tab_to("Yes, send this letter")
    anna.press("Enter")
    anna.page.wait_for_url(re.compile(r"/messages/[0-9a-f]{32}"))
    anna.look("sent")
    return anna.page.url.partition("?")[0]


def says_no_more_what_comes_next(anna: Window, sent: str) -> None:
    """See that the address a sending led to tells what is true after the viewing."""
    anna.go_until(sent, "grade 3, postcode")
    assert anna.page.get_by_text("What happens next").count() == 0


@pytest.mark.parametrize("size", ["wide", "phone"])
def test_a_letter_is_sent_read_and_shut_by_keyboard_alone(
    size: str, browser: Browser, system: System
) -> None:
    before = len(system.running.mailbox.mails())
    with a_window(browser, size) as anna:
        message = send_to_tom(anna, system)
        mail = system.running.mailbox.wait_for(lambda m: m.number > before, LONG)
        assert mail
        found = LETTER_LINK.search(mail.part("plain"))
        assert found
        link = found.group()

        with a_window(browser, size) as tom:
            tom.go(link)
            tom.look("door")
            tom.tab_to("Your postcode")
            tom.press("Enter")
            tom.wait_for_error()
            tom.look("door-wrong")
            tom.tab_to("Your postcode")
            tom.type("zz1 1aa")
            tom.press("Enter")
            tom.page.wait_for_url("**/letter")
            tom.wait_for_text("Dear Mr Tom Jones")
            tom.look("letter")
            tom.tab_to("What happened to this letter")
            tom.press("Enter")
            tom.page.wait_for_url("**/letter/history")
            tom.go_until(tom.page.url, "Viewed")
            tom.wait_for_text("The letter was made ready for you to read")
            tom.look("history")

            anna.go_until(message, "grade 3, postcode")
            anna.look("message")
            says_no_more_what_comes_next(anna, message + "?done=sent")
            anna.go(message + "/expiry")
            anna.tab_to("Day")
            anna.type("1")
            anna.press("Tab")
            anna.type("1")
            anna.press("Tab")
            anna.type("2000")
            anna.tab_to("Reason")
            anna.press("ArrowDown")
            anna.look("expiry")
            anna.tab_to("Change the expiry")
            anna.press("Enter")
            anna.page.wait_for_url(re.compile(r"done=disabled"))
            anna.look("disabled")

            tom.go(system.running.viewer + "/letter")
            tom.wait_for_text("switched")
            tom.look("letter-shut")
            tom.go(link)
            tom.wait_for_text("This link was switched off")
            tom.look("door-shut")


def test_a_recipient_needs_no_script(browser: Browser, system: System) -> None:
    before = len(system.running.mailbox.mails())
    with a_window(browser, "wide") as anna:
        send_to_tom(anna, system)
    mail = system.running.mailbox.wait_for(lambda m: m.number > before, LONG)
    assert mail
    found = LETTER_LINK.search(mail.part("plain"))
    assert found
    with a_window(browser, "phone", script=False) as tom:
        tom.go(found.group())
        tom.page.get_by_label("Your postcode").fill("ZZ11AA")
        tom.press("Enter")
        tom.page.wait_for_url("**/letter")
        assert "Dear Mr Tom Jones" in tom.page.content()
        assert tom.page.get_by_text("Save a copy").is_visible()
        assert tom.page.get_by_role("button", name="Print").count() == 0
