"""Every page of every role: whole, within its window, and clean by the axe rules."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from services.demo_data import STAFF
from tests.browser.windows import SIZES, a_window
from tests.systems import System

pytestmark = pytest.mark.integration
PAGES = {
    "anna": [
        "/", "/contacts?q=zz", "/contacts?q=nobody", "/contacts/new",
        "/contacts/{edith}", "/contacts/{edith}/details", "/contacts/{edith}/choices",
        "/contacts/{tom}/requests", "/contacts/{edith}/new", "/letters",
        "/letters/165104",
    ],
    "ben": ["/", "/letters/new", "/letters/165110", "/letters/165110/edit"],
    "carol": ["/", "/letters?status=submitted", "/letters/165140/review",
              "/letters/165120/withdraw"],
    "dev": ["/", "/evidence", "/evidence?contact={tom}", "/contacts/{tom}/erase"],
    "ada": ["/", "/staff", "/staff/new", "/organisation"],
}  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("person", [person.key for person in STAFF])
def test_every_page_of_the_portal_is_whole(
    person: str, size: str, browser: Browser, system: System
) -> None:
    with a_window(browser, size) as window:
        window.sign_in(system.sign_in_link(person), system.running.portal)
        for path in [*PAGES[person], "/account", "/help"]:
            answer = window.page.goto(
                system.running.portal + path.format(**system.ids.contacts)
            )
            assert answer
            assert answer.status == 200, path
            name = path.partition("?")[0].strip("/").replace("/", "-")
            plain = name.replace("{", "").replace("}", "") or "home"
            window.look(f"{person}-{plain}{'-found' if '?' in path else ''}")


@pytest.mark.parametrize("size", SIZES)
def test_every_page_without_a_sign_in_is_whole(
    size: str, browser: Browser, system: System
) -> None:
    with a_window(browser, size) as window:
        for site, path in (
            (system.running.portal, "/sign-in"),
            (system.running.viewer, "/"),
            (system.running.viewer, "/help"),
            (system.running.viewer, "/accessibility"),
            (system.running.viewer, "/e/nothing"),
            (system.running.viewer, "/letter"),
            (system.running.viewer, "/c/nothing"),
            (system.running.mailbox_address, "/"),
        ):
            window.go(site + path)
            kind = "mailbox" if site == system.running.mailbox_address else "out"
            window.look(f"{kind}-{path.strip('/').replace('/', '-') or 'index'}")
