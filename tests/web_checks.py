"""Promises every site keeps (assurance S1-S5, S8, S9), checked over all of its routes.

Give `Site` an app; it finds the routes in the app's own map, so a new page is covered
from its first day. `check_site(site)` runs everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shared.web.cookies import BROWSER, SESSION
from shared.web.security import FIELD, SAFE, CsrfTokens
from shared.web.sessions import Sessions

Form = Mapping[str, str | list[str]]
OWN_BROWSER: Final = "b" * 43  # the id of our browser
OTHER_BROWSER: Final = "o" * 43
STRICT: Final = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "object-src": "'none'",
    "frame-ancestors": "'none'",
}
ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
FORGED: Final = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Prefix": "/evil.example",
    "X-Real-IP": "203.0.113.9",
    "Forwarded": "host=evil.example",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One address and method of the app, ready to be called."""

    rule: str
    endpoint: str
    method: str
    path: str


@dataclass(slots=True, kw_only=True)
class Site:
    """An app and how to reach it.

    `values` fills route variables by name; `sign_in` prepares a client, e.g. by setting
    a session cookie; `exempt` are the endpoints of the `without_csrf` registry.
    """

    app: Flask
    base_url: str
    tls: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    sign_in: Callable[[FlaskClient], None] = lambda _client: None
    exempt: frozenset[str] = frozenset()

    def browser(self) -> Browser:
        """Return a new browser, signed in if the site was told how."""
        client = self.app.test_client()
        self.sign_in(client)
        return Browser(self, client)

    def routes(self) -> Iterator[Route]:
        """Yield every route but static files, variables filled."""
        for rule in self.app.url_map.iter_rules():
            if rule.endpoint == "static":
                continue
            built = rule.build(
                {name: self.values.get(name, "0") for name in rule.arguments}
            )
            assert built is not None, f"give values for {rule.arguments}"
            for method in sorted(rule.methods or ()):
                yield Route(
                    rule=rule.rule, endpoint=rule.endpoint, method=method, path=built[1]
                )

    def changing(self) -> list[Route]:
        """Return the routes that change something and must be guarded."""
        return [
            route
            for route in self.routes()
            if route.method not in SAFE and route.endpoint not in self.exempt
        ]


class Browser:
    """Behaves like a browser on a page of ours: cookies, `Origin`, form token."""

    def __init__(self, site: Site, client: FlaskClient) -> None:
        self.site = site
        self.client = client
        self.plant(BROWSER, OWN_BROWSER)

    def plant(self, name: str, value: str) -> None:
        """Put a cookie into the jar."""
        self.client.set_cookie(name, value, domain=self._host(), secure=True)

    def cookie(self, name: str) -> str:
        """Return a cookie's value, or ""."""
        held = self.client.get_cookie(name, domain=self._host())
        return held.value if held else ""

    def token(self, browser: str = "") -> str:
        """Return the form token our pages would print for this browser and session."""
        tokens: CsrfTokens = self.site.app.extensions["ll_csrf"]
        sessions: Sessions | None = self.site.app.extensions["ll_sessions"]
        session = sessions.find(self.cookie(SESSION)) if sessions else None
        secret = session.csrf_secret if session else b""
        return tokens.make(browser or self.cookie(BROWSER), secret)

    def open(
        self,
        method: str,
        path: str,
        *,
        form: Form | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Send exactly this; follow nothing."""
        return self.client.open(
            path,
            method=method,
            base_url=self.site.base_url,
            headers=dict(headers or {}),
            data=dict(form) if form is not None else None,
        )

    def get(self, path: str) -> TestResponse:
        """Ask for a page."""
        return self.open("GET", path)

    def post(self, path: str, form: Form | None = None) -> TestResponse:
        """Send a form as our own page would."""
        return self.open(
            "POST",
            path,
            form={FIELD: self.token(), **(form or {})},
            headers={"Origin": self.site.base_url, "Sec-Fetch-Site": "same-origin"},
        )

    def _host(self) -> str:
        return self.site.base_url.partition("://")[2].partition(":")[0]


def check_site(site: Site) -> None:
    """Run every check of this module."""
    check_headers(site)
    check_foreign_requests(site)
    check_hosts(site)
    check_methods(site)


def check_headers(site: Site) -> None:
    """S1-S4 on each route with each of its methods, and on errors."""
    nonces = set()
    answers = [site.browser().open(r.method, r.path) for r in site.routes()]
    answers.append(site.browser().get("/no/such/page"))
    for answer in answers:
        assert_hardened(answer, tls=site.tls)
        nonces.add(policy_of(answer)["script-src"])
    assert len(nonces) == len(answers), "a nonce was used twice"


def check_foreign_requests(site: Site) -> None:
    """S5: what did not come from our page, in this browser, lately, gets 403."""
    for route in site.changing():
        for why, form, headers in _attacks(site):
            answer = site.browser().open(
                route.method, route.path, form=form, headers=headers
            )
            assert answer.status_code == 403, f"{route.rule}: {why} was let in"
            assert_hardened(answer, tls=site.tls)


def check_hosts(site: Site) -> None:
    """S8: a foreign `Host` gets 400; forged forwarding headers change nothing."""
    for route in site.routes():
        if route.method != "GET":
            continue
        if route.endpoint != "healthz":
            stray = site.app.test_client().get(route.path, base_url="http://evil.test")
            assert stray.status_code == 400, route.rule
            assert "evil.test" not in stray.text + str(stray.headers)
        forged = site.browser().open("GET", route.path, headers=FORGED)
        plain = site.browser().get(route.path)
        assert forged.status_code == plain.status_code, route.rule
        assert "evil.example" not in forged.text + str(forged.headers)


def check_methods(site: Site) -> None:
    """S9: a method not listed gets 405, TRACE always."""
    listed: dict[str, set[str]] = {}
    for route in site.routes():
        listed.setdefault(route.path, set()).add(route.method)
    for path, methods in listed.items():
        for method in ("TRACE", "CONNECT", "PUT", "DELETE", "PATCH", "POST", "BREW"):
            if method not in methods:
                answer = site.browser().open(method, path)
                assert answer.status_code == 405, f"{method} {path}"


def assert_hardened(answer: TestResponse, *, tls: bool) -> None:
    """Assert S1-S4 on one answer."""
    policy = policy_of(answer)
    scripts = policy.pop("script-src")
    assert re.fullmatch(r"'self' 'nonce-[A-Za-z0-9_-]{20,}'", scripts)
    assert policy == STRICT
    for name, value in ALWAYS.items():
        assert answer.headers[name] == value, name
    assert "Server" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    held = answer.headers.get("Strict-Transport-Security", "")
    assert (held == "max-age=63072000; includeSubDomains") is tls
    for cookie in answer.headers.getlist("Set-Cookie"):
        assert cookie.startswith("__Host-")
        assert len(cookie) < 4096
        parts = {part.strip() for part in cookie.split(";")[1:]}
        assert {"Secure", "HttpOnly", "Path=/"} <= parts
        assert parts & {"SameSite=Lax", "SameSite=Strict"}
        assert not any(part.startswith("Domain") for part in parts)


def policy_of(answer: TestResponse) -> dict[str, str]:
    """Return the content security policy, directive by directive."""
    listed = answer.headers.getlist("Content-Security-Policy")
    assert len(listed) == 1
    assert "unsafe" not in listed[0]
    parts = (part.strip().partition(" ") for part in listed[0].split(";"))
    return {name: value for name, _, value in parts}


def _attacks(site: Site) -> list[tuple[str, Form, Mapping[str, str]]]:
    browser = site.browser()
    good = {FIELD: browser.token()}
    ours = {"Origin": site.base_url, "Sec-Fetch-Site": "same-origin"}
    at, _, mac = good[FIELD].partition(".")
    return [
        ("no token", {}, ours),
        ("an empty token", {FIELD: ""}, ours),
        ("another browser's token", {FIELD: browser.token(OTHER_BROWSER)}, ours),
        ("an expired token", {FIELD: f"{int(at) - 10**7}.{mac}"}, ours),
        ("a broken token", {FIELD: good[FIELD][:-1]}, ours),
        ("another origin", good, ours | {"Origin": "https://evil.example"}),
        ("a look-alike origin", good, ours | {"Origin": site.base_url + ".evil"}),
        ("a cross-site fetch", good, ours | {"Sec-Fetch-Site": "cross-site"}),
        ("a same-site fetch", good, ours | {"Sec-Fetch-Site": "same-site"}),
        ("nobody vouching", good, {}),
        ("a null origin alone", good, {"Origin": "null"}),
    ]
