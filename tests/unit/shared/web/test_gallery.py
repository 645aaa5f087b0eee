"""Every component, in a real browser: whole at both widths, accessible, no CSP breach.

Leaves pictures in `.artifacts/` for people to look at. Needs `npm ci && npm run build`.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.web.server import WebServer
from shared.web.settings import Site
from tests.unit.shared.web.gallery import gallery

AXE = Path("node_modules/axe-core/axe.min.js")
PICTURES = Path(".artifacts")
HOSTS = {"portal": "127.0.0.1", "viewer": "localhost"}
SIZES = [(1440, 900), (390, 844)]
RULES = """axe.run(document, {runOnly: [
    "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})"""
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"

pytestmark = pytest.mark.integration


@pytest.fixture(params=["portal", "viewer"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    site: Site = request.param
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base_url = f"http://{HOSTS[site]}:{port}"
    server = WebServer(gallery(site, tmp_path, base_url=base_url), "127.0.0.1", port)
    server.start()
    yield base_url
    server.stop()


def page_of(browser: Browser, width: int, height: int, said: list[str]) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.on(
        "console",
        lambda line: (
            said.append(line.text) if line.type in {"error", "warning"} else None
        ),
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    return page


def inspect(page: Page, name: str) -> None:
    """Take a picture, then let axe judge; the page must fit its window."""
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
    assert page.evaluate(OVERFLOW) <= 0
    page.evaluate(AXE.read_text())
    found = page.evaluate(RULES)["violations"]
    assert [(rule["id"], rule["nodes"][0]["target"]) for rule in found] == []


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_page_is_accessible_and_fits(
    browser: Browser, address: str, width: int, height: int
) -> None:
    said: list[str] = []
    page = page_of(browser, width, height, said)
    site = "viewer" if "localhost" in address else "portal"
    paths = {
        "portal": ["/", "/message/new", "/contact/new", "/parts", "/done", "/refused"],
        "viewer": ["/door", "/letter", "/refused"],
    }[site]
    for path in paths:
        page.goto(address + path, wait_until="networkidle")
        inspect(page, f"{site}-{path.strip('/').replace('/', '-') or 'home'}-{width}")
    page.close()
    assert [line for line in said if "403" not in line] == []


@pytest.mark.parametrize("scripts", [True, False])
def test_a_form_works_with_and_without_script(
    browser: Browser, address: str, *, scripts: bool
) -> None:
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto(address + "/contact/new")
    page.get_by_role("button", name="Save contact").click()
    expect(page).to_have_title(re.compile("^Error: "), timeout=30_000)
    page.get_by_label("Given name").fill("Tom")
    page.get_by_label("Family name").fill("Jones")
    page.get_by_label("E-mail").check()
    page.get_by_role("button", name="Save contact").click()
    expect(page.get_by_text("The contact is saved.")).to_be_visible(timeout=30_000)
    names = {cookie["name"] for cookie in context.cookies()}
    assert names == {"__Host-ll-browser"}
    context.close()


def test_print_and_close_are_offered_only_with_script(
    browser: Browser, address: str
) -> None:
    for scripts in (True, False):
        context = browser.new_context(java_script_enabled=scripts)
        page = context.new_page()
        page.goto(address + "/letter", wait_until="networkidle")
        assert page.get_by_role("button", name="Print").is_visible() is scripts
        context.close()


def test_a_script_without_the_nonce_does_not_run(
    browser: Browser, address: str
) -> None:
    said: list[str] = []
    page = page_of(browser, 800, 600, said)
    page.goto(address + "/door")
    page.evaluate(
        "() => { const s = document.createElement('script');"
        "s.textContent = 'window.ran = true'; document.body.append(s); }"
    )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in line for line in said)
    page.close()
