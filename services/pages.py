"""Reading a page as a program: its text, links and forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from typing_extensions import override

from shared.errors import Fault


class NotOnPage(Fault):
    """The page has no such link or button; lists what it has."""


@dataclass(slots=True)
class Form:
    """One form: where it goes, its fields with their values, its buttons."""

    action: str = ""
    method: str = "get"
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str, str, str]] = field(default_factory=list)

    def values(self, button: str) -> dict[str, str]:
        """Return what pressing `button` sends, before anything is typed."""
        pressed = {n: v for text, n, v, _ in self.buttons if text == button and n}
        return {**dict(self.fields), **pressed}

    def target(self, button: str) -> str:
        """Return where pressing `button` sends the form."""
        for text, _, _, action in self.buttons:
            if text == button and action:
                return action
        return self.action


@dataclass(slots=True)
class Page:
    """One page as it was answered."""

    address: str
    status: int
    html: str
    text: str = ""
    title: str = ""
    links: list[tuple[str, str]] = field(default_factory=list)  # text, address
    forms: list[Form] = field(default_factory=list)

    @classmethod
    def empty(cls) -> Page:
        """Return the page before the first one."""
        return cls(address="", status=0, html="")

    @classmethod
    def of(cls, address: str, status: int, html: str) -> Page:
        """Read an answer."""
        page = cls(address=address, status=status, html=html)
        reader = _Reader(page)
        reader.feed(html)
        reader.close()
        page.text = " ".join("".join(reader.words).split())
        return page

    def link(self, text: str) -> str:
        """Return the address of the link with this text (or beginning with it)."""
        for match in (str.__eq__, str.startswith):
            for shown, address in self.links:
                if match(shown, text):
                    return address
        raise NotOnPage(f"no link {text!r} among {[t for t, _ in self.links]}")

    def form_with(self, name: str) -> Form:
        """Return the first form that has a field of this name."""
        for form in self.forms:
            if any(known == name for known, _ in form.fields):
                return form
        known = [name for form in self.forms for name, _ in form.fields]
        raise NotOnPage(f"no field {name!r} among {known} on {self.title!r}")

    def form(self, button: str) -> Form:
        """Return the form with this button."""
        for form in self.forms:
            if any(shown == button for shown, _, _, _ in form.buttons):
                return form
        known = [shown for form in self.forms for shown, _, _, _ in form.buttons]
        raise NotOnPage(f"no button {button!r} among {known} on {self.title!r}")


class _Reader(HTMLParser):
    """Collects what `Page` offers."""

    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._page = page
        self._form: Form | None = None
        self._heard: list[list[str]] = []  # texts of open links, buttons, titles
        self._attrs: list[dict[str, str]] = []
        self._select: tuple[str, str | None] | None = None
        self._area: tuple[str, list[str]] | None = None
        self._mute = 0

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        if tag in {"script", "style"}:
            self._mute += 1
        elif tag in {"a", "button", "title"}:
            self._heard.append([])
            self._attrs.append(held)
        elif tag == "form":
            self._form = Form(
                action=held.get("action", ""), method=held.get("method", "get").lower()
            )
            self._page.forms.append(self._form)
        elif self._form is not None:
            self._field(tag, held)

    def _field(self, tag: str, held: dict[str, str]) -> None:
        form, name = self._form, held.get("name", "")
        if form is None or (not name and tag != "option"):
            return
        kind = held.get("type", "text")
        if tag == "input" and (kind not in {"radio", "checkbox"} or "checked" in held):
            form.fields.append((name, held.get("value", "")))
        elif tag == "select":
            self._select = (name, None)
        elif tag == "option" and self._select:
            chosen, first = self._select
            if "selected" in held or first is None:
                self._select = (chosen, held.get("value", ""))
        elif tag == "textarea":
            self._area = (name, [])

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._mute = max(0, self._mute - 1)
        elif tag in {"a", "button", "title"} and self._heard:
            self._end(tag, " ".join("".join(self._heard.pop()).split()))
        elif tag == "form":
            self._form = None
        elif tag == "select" and self._form and self._select:
            self._form.fields.append((self._select[0], self._select[1] or ""))
            self._select = None
        elif tag == "textarea" and self._form and self._area:
            self._form.fields.append((self._area[0], "".join(self._area[1])))
            self._area = None

    def _end(self, tag: str, text: str) -> None:
        held = self._attrs.pop()
        if tag == "title":
            self._page.title = text
        elif tag == "a":
            self._page.links.append((text, held.get("href", "")))
        elif self._form is not None:
            self._form.buttons.append(
                (
                    text,
                    held.get("name", ""),
                    held.get("value", ""),
                    held.get("formaction", ""),
                )
            )

    @override
    def handle_data(self, data: str) -> None:
        if self._mute:
            return
        self.words.append(data)
        for heard in self._heard:
            heard.append(data)
        if self._area:
            self._area[1].append(data)
