"""What is wrong stands in one place, first in main, and has the focus."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.windows import SIZES, Window, a_window
from tests.systems import System

pytestmark = pytest.mark.integration
FORMS = {  # page -> button that sends it with something missing
    "anna": {
        "/contacts/new": "Save contact",
        "/contacts/{tom}/new": "Send",
        "/account": "Set the password",
    },
    "ben": {"/letters/new": "Keep as draft"},
    "carol": {
        "/letters/165140/review": "Return to the author",
        "/letters/165120/withdraw": "Withdraw the page",
    },
    "dev": {"/contacts/{tom}/erase": "Erase this person"},
    "ada": {"/staff/new": "Save"},
}
FIRST = "main > :first-child"


def press(window: Window, button: str) -> None:
    window.page.locator("main").get_by_role("button", name=button).first.click()
    window.wait_for_error()


def holds_the_focus_first_in_main(window: Window) -> None:
    summary = window.page.locator(".govuk-error-summary")
    expect(summary).to_have_count(1)
    expect(summary).to_be_focused()
    assert "govuk-error-summary" in str(
        window.page.locator(FIRST).first.get_attribute("class")
    )
    link = summary.get_by_role("link").first
    href = str(link.get_attribute("href"))
    expect(window.page.locator(href)).to_have_count(1)
    link.click()
    expect(window.page.locator(href)).to_be_focused()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("person", FORMS)
def test_after_a_mistake_the_summary_is_first_and_leads_to_the_field(
    person: str, size: str, browser: Browser, system: System
) -> None:
    with a_window(browser, size) as window:
        window.sign_in(system.sign_in_link(person), system.running.portal)
        for path, button in FORMS[person].items():
            window.go(system.running.portal + path.format(**system.ids.contacts))
            press(window, button)
            plain = path.strip("/").replace("/", "-").translate({123: "", 125: ""})
            window.look(f"wrong-{plain}")
            holds_the_focus_first_in_main(window)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("size", SIZES)
def test_at_the_sign_in_too_with_script_and_without(
    size: str,
    script: bool,  # noqa: FBT001  # a parameter of the test
    browser: Browser,
    system: System,
) -> None:
    with a_window(browser, size, script=script) as window:
        window.go(system.running.portal + "/sign-in")
        press(window, "Sign in")
        if script:
            window.look("wrong-sign-in")
            holds_the_focus_first_in_main(window)
        else:
            expect(window.page.locator(".govuk-error-summary")).to_be_focused()
