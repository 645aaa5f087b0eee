"""Driving Debian's Chromium: windows of two sizes, pictures, and the axe rules."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    expect,
    sync_playwright,
)

from tests.waiting import LONG, until

expect.set_options(timeout=LONG * 1000)

ROOT: Final = Path(__file__).parents[2]
PICTURES: Final = ROOT / ".artifacts" / "screens"
SIZES: Final = {"wide": (1440, 900), "phone": (390, 844)}
AXE: Final = ROOT / "node_modules" / "axe-core" / "axe.min.js"
MOST_TABS: Final = 80


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Start Chromium without a screen; close it at the end."""
    chromium = shutil.which("chromium")
    assert chromium, "install Debian's package chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@dataclass(slots=True)
class Window:
    """One person's window. Acts by keyboard only, once a page is loaded."""

    context: BrowserContext
    page: Page
    size: str

    def look(self, name: str) -> None:
        """Take a picture and hold the page against the axe rules and its width."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(
            path=PICTURES / f"{name}-{self.size}.png", full_page=True, timeout=60_000
        )
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run()")
        told = [
            (one["id"], [node["html"][:160] for node in one["nodes"]])
            for one in found["violations"]
        ]
        assert told == [], f"{name}, {self.size}: {told}"
        assert found["passes"], "axe looked at nothing"
        over = self.page.evaluate(
            "document.documentElement.scrollWidth - window.innerWidth"
        )
        assert over <= 0, f"{name} is {over} px wider than a {self.size} window"

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        """Type into whatever has the focus."""
        self.page.keyboard.type(text)

    def focused(self) -> str:
        """Return the visible text, label or name of what has the focus."""
        told = self.page.evaluate(
            """() => { const at = document.activeElement;
            return (at.labels?.[0]?.innerText || at.innerText || at.value || at.name
                    || '').trim(); }"""
        )
        return str(told)

    def tab_to(self, wanted: str) -> None:
        """Press Tab until what begins with `wanted` has the focus."""
        for _ in range(MOST_TABS):
            if self.focused().startswith(wanted):
                return
            self.press("Tab")
        raise AssertionError(f"no way to {wanted!r} by Tab; at {self.focused()!r}")

    def wait_for_error(self) -> None:
        """Wait until the page says in its title that something is wrong."""
        expect(self.page).to_have_title(re.compile("^Error:"))

    def wait_for_text(self, text: str) -> None:
        """Wait until the page says `text`."""
        self.page.get_by_text(text).first.wait_for()

    def go(self, address: str) -> None:
        """Load a page."""
        self.page.goto(address)

    def go_until(self, address: str, text: str) -> None:
        """Load a page again until it says `text`: lists come after the facts."""

        def says() -> bool:
            self.go(address)
            return self.page.get_by_text(text).first.is_visible()

        until(says, f"{text!r} at {address}")

    def sign_in(self, link: str, portal: str) -> None:
        """Sign in by a one-time link."""
        self.go(link)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(portal + "/")


@contextmanager
def a_window(browser: Browser, size: str, *, script: bool = True) -> Iterator[Window]:
    """Open a window of its own, with its own cookies; refuse errors of our scripts."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, java_script_enabled=script
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", _complaints(errors))
    yield Window(context, page, size)
    context.close()
    assert errors == []


def _complaints(errors: list[str]) -> Callable[[object], None]:
    def hear(message: object) -> None:
        text = str(getattr(message, "text", ""))
        if "Content Security Policy" in text:
            errors.append(text)

    return hear
