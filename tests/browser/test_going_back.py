"""Going back and reloading never asks to send a form again, and loses nothing typed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.windows import SIZES, Window, a_window
from tests.systems import System

pytestmark = pytest.mark.integration


def enter(window: Window, system: System, given: str, email: str) -> None:
    """Fill the form of a new contact, by keyboard, and save it."""
    if "/contacts/new" not in window.page.url:
        window.go(system.running.portal + "/contacts/new")
    window.tab_to("Given name")
    window.type(given)
    window.tab_to("E-mail address")
    window.type(email)
    window.tab_to("Save contact")
    window.press("Enter")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_after_a_mistake_back_and_reload_only_load_pages(
    script: bool,  # noqa: FBT001  # a parameter of the test
    browser: Browser,
    system: System,
) -> None:
    asked: list[str] = []
    with a_window(browser, "wide", script=script) as anna:
        anna.sign_in(system.sign_in_link("anna"), system.running.portal)
        anna.page.on("request", lambda sent: asked.append(sent.method))
        enter(anna, system, "Wren", "no address")
        anna.wait_for_error()
        form = anna.page.url
        assert "Wren" not in form
        asked.clear()
        anna.page.reload()
        anna.wait_for_error()
        expect(anna.page.get_by_label("Given name")).to_have_value("Wren")
        anna.page.get_by_label("E-mail address").fill("wren@people.example")
        anna.page.get_by_role("button", name="Save contact").click()
        anna.page.wait_for_url(re.compile(r"/contacts/[0-9a-f]{32}"))
        assert asked.count("POST") == 1
        anna.page.go_back()
        expect(anna.page.get_by_role("heading", level=1)).to_have_text("New contact")
        assert anna.page.url == form
        expect(anna.page.get_by_label("Given name")).to_have_value("")  # it was saved
        anna.page.go_forward()
        expect(anna.page.get_by_role("heading", level=1)).to_have_text("Wren")
        assert asked.count("POST") == 1


def test_back_from_a_contact_leads_to_the_same_search_without_script(
    browser: Browser, system: System
) -> None:
    with a_window(browser, "phone", script=False) as anna:
        anna.sign_in(system.sign_in_link("anna"), system.running.portal)
        anna.page.get_by_role("searchbox").fill("jones tom")
        anna.page.get_by_role("button", name="Find").click()
        anna.page.get_by_role("link", name="Mr Tom Jones").click()
        anna.page.wait_for_url(re.compile(r"/contacts/[0-9a-f]{32}"))
        anna.page.go_back()
        expect(anna.page.get_by_role("searchbox")).to_have_value("jones tom")
        expect(anna.page.get_by_role("link", name="Mr Tom Jones")).to_be_visible()
        assert "jones" not in anna.page.url


@pytest.mark.parametrize("size", SIZES)
def test_a_missing_known_fact_is_added_on_the_way_by_keyboard_alone(
    size: str, browser: Browser, system: System
) -> None:
    with a_window(browser, size) as anna:
        anna.sign_in(system.sign_in_link("anna"), system.running.portal)
        enter(anna, system, f"Wren {size.title()}", f"{size}@people.example")
        anna.page.wait_for_url(re.compile(r"/contacts/[0-9a-f]{32}"))
        anna.go_until(anna.page.url, "No messages yet")
        anna.press("n")
        anna.page.wait_for_url(re.compile(r"/new$"))
        anna.tab_to("Page number")
        anna.type("165128")
        anna.wait_for_text("This cannot be sent")
        anna.page.get_by_label("The link works until").select_option("3")
        anna.press("Control+Enter")
        anna.wait_for_error()
        anna.look("fact-missing")
        anna.tab_to("The letter needs a known fact")
        anna.press("Enter")
        assert anna.focused().startswith("Add a postcode, date of birth")
        anna.press("Enter")
        anna.page.wait_for_url(re.compile(r"/details"))
        assert anna.focused() == "Postcode"
        anna.look("fact-details")
        anna.type("!!")
        anna.press("Enter")
        anna.wait_for_error()
        anna.tab_to("Postcode: ")  # in the summary; it leads to the field
        anna.press("Enter", "Control+a")
        anna.type("zz1 1aa")
        anna.tab_to("Save and go back to the message")
        anna.press("Enter")
        anna.page.wait_for_url(re.compile(r"/new\?"))
        anna.wait_for_text("The details are changed.")
        expect(anna.page.get_by_label("Page number")).to_have_value("165128")
        expect(anna.page.get_by_label("The link works until")).to_have_value("3")
        anna.wait_for_text("types their postcode")
        anna.look("fact-added")
