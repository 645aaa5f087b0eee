"""Just enough of a browser, to walk the product over real HTTP without script."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests

from services.pages import Form, Page

PATIENCE: Final = 30.0  # seconds for one answer
HOPS: Final = 5  # redirects followed
SEE_OTHER: Final = 303
REDIRECTS: Final = frozenset({301, 302, SEE_OTHER, 307, 308})
Values = Mapping[str, str | list[str]]


class Browser:
    """Cookies, redirects, forms. No script.

    It keeps cookies by host name, as browsers do, and sends Secure ones over plain
    HTTP: the product is tried out on loopback, which counts as secure.
    """

    def __init__(self) -> None:
        """Start with no cookies, on no page."""
        self._session = requests.Session()
        self._cookies: dict[str, dict[str, str]] = defaultdict(dict)
        self.page = Page.empty()

    def get(self, address: str) -> Page:
        """Load a page."""
        return self._load("GET", address, {}, {"Sec-Fetch-Site": "none"})

    def head(self, address: str) -> int:
        """Ask for a page's head; return the status. The page at hand stays."""
        return self._ask("HEAD", address, {}, {}).status_code

    def follow(self, text: str) -> Page:
        """Press the link with this text."""
        return self.get(urljoin(self.page.address, self.page.link(text)))

    def submit(self, button: str, **fields: str | list[str]) -> Page:
        """Fill the form that has this button, press it, and return the next page."""
        form = self.page.form(button)
        return self.send(form, {**form.values(button), **fields}, form.target(button))

    def fill(self, **fields: str | list[str]) -> Page:
        """Fill the form that has the first of these fields, and press Enter in it.

        A list fills fields that share one name, such as day, month and year.
        """
        form = self.page.form_with(next(iter(fields)))
        return self.send(form, {**dict(form.fields), **fields}, form.action)

    def send(self, form: Form, values: Values, action: str) -> Page:
        """Send the values of a form."""
        address = urljoin(self.page.address, action)
        if form.method == "get":
            query = requests.Request("GET", address, params=values).prepare().url
            return self.get(str(query))
        parts = urlsplit(address)
        own = {
            "Origin": f"{parts.scheme}://{parts.netloc}",
            "Sec-Fetch-Site": "same-origin",
        }
        return self._load("POST", address, values, own)

    def close(self) -> None:
        """Forget everything."""
        self._session.close()
        self._cookies.clear()

    def _load(
        self, method: str, address: str, values: Values, told: dict[str, str]
    ) -> Page:
        answer = self._ask(method, address, values, told)
        hops = 0
        while answer.status_code in REDIRECTS and hops < HOPS:
            hops += 1
            address = urljoin(address, answer.headers["Location"])
            answer = self._ask("GET", address, {}, told)
        self.page = Page.of(address, answer.status_code, answer.text)
        return self.page

    def _ask(
        self, method: str, address: str, values: Values, told: dict[str, str]
    ) -> requests.Response:
        jar = self._cookies[urlsplit(address).hostname or ""]
        cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
        answer = self._session.request(
            method,
            address,
            data=values or None,
            headers={**told, **({"Cookie": cookies} if cookies else {})},
            timeout=PATIENCE,
            allow_redirects=False,
        )
        self._session.cookies.clear()
        for line in answer.raw.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                jar.pop(name, None)
                if morsel["max-age"] != "0" and morsel.value:
                    jar[name] = morsel.value
        return answer
