"""What every response says to the browser, and what every request must prove.

A request that changes something must come from our own page: `Origin` and
`Sec-Fetch-Site` must not deny it, one of them must confirm it, and the form must carry
a token bound to this browser (and to the session, once signed in). Under
`Referrer-Policy: no-referrer` browsers send `Origin: null` with our own forms (Fetch
standard, "append a request Origin header"), so `null` confirms nothing and denies
nothing; `Sec-Fetch-Site: same-origin` then has to.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from flask import Flask, current_app, g, request
from markupsafe import Markup
from werkzeug import Response

from shared.clock import Clock, micros
from shared.errors import DomainError, Malformed
from shared.web.cookies import BROWSER, set_cookie
from shared.web.sessions import current_session
from shared.web.settings import WebSettings

V = TypeVar("V", bound=Callable[..., object])
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FIELD: Final = "_csrf"
YEAR: Final = timedelta(days=365)
BROWSER_ID: Final = re.compile(r"[A-Za-z0-9_-]{43}")
SECONDS: Final = re.compile("[0-9]{1,12}")
EXEMPT: Final = "letterlock_without_csrf"
SECOND: Final = 1_000_000  # microseconds
POLICY: Final = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; "
    "img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), "
    "usb=(), browsing-topics=()",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}


class ForeignRequest(DomainError):
    """The request did not come from a page of ours in this browser."""

    code = "foreign_request"
    http_status = 403
    hint = "Go back, load the page again and repeat what you did. Nothing was changed."


class UnknownHost(DomainError):
    """The address asked for is not one of ours."""

    code = "unknown_host"
    http_status = 400


def without_csrf(view: V) -> V:
    """Let machines POST to `view` without a token, e.g. one-click unsubscribe.

    Holds only if the endpoint is also named in `WebSettings.without_csrf`; one without
    the other stops the app from being built.
    """
    setattr(view, EXEMPT, True)
    return view


def carry_policy(policy: str) -> None:
    """Have this one answer carry `policy`; for a page that is somebody else's text."""
    g.ll_policy = policy


def csp_nonce() -> str:
    """Return this response's nonce (128 bits): the only way an inline script runs."""
    if "ll_nonce" not in g:
        g.ll_nonce = secrets.token_urlsafe(16)
    nonce: str = g.ll_nonce
    return nonce


def browser_id() -> str:
    """Return the secret that names this browser (256 bits), minted if it has none.

    One-time codes and tickets of people who are not signed in are bound to it. Never
    log it; store it only hashed.
    """
    if "ll_browser" not in g:
        sent = request.cookies.get(BROWSER, "")
        known = BROWSER_ID.fullmatch(sent) is not None
        g.ll_browser = sent if known else secrets.token_urlsafe(32)
        g.ll_browser_is_new = not known
    found: str = g.ll_browser
    return found


class CsrfTokens:
    """Makes and checks form tokens: `<unix second>.<HMAC-SHA-256>`, no server state."""

    def __init__(self, clock: Clock, life: timedelta) -> None:
        """Accept tokens for `life` after they were made."""
        self._clock = clock
        self._life = life

    def make(self, browser: str, session_secret: bytes = b"") -> str:
        """Return a token that only this browser, in this session, can use."""
        at = str(micros(self._clock.now()) // SECOND)
        return f"{at}.{_mac(browser, session_secret, at)}"

    def holds(self, token: str, browser: str, session_secret: bytes = b"") -> bool:
        """Say whether `token` is ours, of this browser and session, and not too old."""
        at, _, mac = token.partition(".")
        if not hmac.compare_digest(
            mac.encode(), _mac(browser, session_secret, at).encode()
        ):
            return False
        if SECONDS.fullmatch(at) is None:  # signed by the sender, who knows the key
            return False
        age = micros(self._clock.now()) // SECOND - int(at)
        return 0 <= age <= self._life.total_seconds()


def csrf_token() -> str:
    """Return the token for the form being rendered."""
    session = current_session()
    return _tokens().make(browser_id(), session.csrf_secret if session else b"")


def csrf_field() -> Markup:
    """Return the hidden field that each form with method POST must hold."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(
        FIELD, csrf_token()
    )


def guard(app: Flask, settings: WebSettings, clock: Clock) -> None:
    """Put the guards on `app`: they run before any page and after every answer."""
    app.extensions["ll_csrf"] = CsrfTokens(clock, settings.csrf_life)
    app.before_request(lambda: _refuse_foreign(settings))
    app.after_request(lambda response: _harden(response, settings))


def check_exemptions(app: Flask, settings: WebSettings) -> None:
    """Compare the views marked `without_csrf` with the registry in the settings.

    Raises:
        ValueError: an endpoint stands in one of the two only.
    """
    marked = {
        name for name, view in app.view_functions.items() if hasattr(view, EXEMPT)
    }
    if odd := marked ^ settings.without_csrf:
        message = f"marked and registered without_csrf differ: {sorted(odd)}"
        raise ValueError(message)


def _refuse_foreign(settings: WebSettings) -> None:
    if request.path != "/healthz" and not settings.answers_to(
        request.headers.get("Host", "")
    ):
        raise UnknownHost
    endpoint = request.endpoint
    if request.method in SAFE or endpoint is None:
        return
    if endpoint not in settings.without_csrf:
        _refuse_other_origin(settings)
        _refuse_other_browser()


def _refuse_other_origin(settings: WebSettings) -> None:
    origin = request.headers.get("Origin", "null")
    fetched_from = request.headers.get("Sec-Fetch-Site", "")
    if origin not in {"null", settings.base_url}:
        raise ForeignRequest
    if fetched_from not in {"", "same-origin", "none"}:
        raise ForeignRequest
    if origin == "null" and fetched_from != "same-origin":
        raise ForeignRequest


def _refuse_other_browser() -> None:
    offered = request.form.getlist(FIELD)
    if len(offered) > 1:
        raise Malformed("A field was sent more than once.")
    token = offered[0] if offered else request.headers.get("X-CSRF-Token", "")
    session = current_session()
    secret = session.csrf_secret if session else b""
    sent = request.cookies.get(BROWSER, "")
    if BROWSER_ID.fullmatch(sent) is None or not _tokens().holds(token, sent, secret):
        raise ForeignRequest


def _harden(response: Response, settings: WebSettings) -> Response:
    headers = response.headers
    own: str = g.get("ll_policy") or POLICY.format(nonce=csp_nonce())
    headers["Content-Security-Policy"] = own
    headers.update(ALWAYS)
    if settings.tls:
        held = 2 * YEAR // timedelta(seconds=1)
        headers["Strict-Transport-Security"] = f"max-age={held}; includeSubDomains"
    if request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    if g.get("ll_browser_is_new"):
        # staff keep it, so strangers' guesses do not slow them (see limits); recipients
        # keep nothing longer than their browser is open
        life = YEAR if settings.site == "portal" else None
        set_cookie(response, BROWSER, browser_id(), life=life)
    return response


def _tokens() -> CsrfTokens:
    tokens: CsrfTokens = current_app.extensions["ll_csrf"]
    return tokens


def _mac(browser: str, session_secret: bytes, at: str) -> str:
    key = hashlib.sha256(b"csrf" + browser.encode() + b"\x00" + session_secret).digest()
    return hmac.new(key, at.encode(), hashlib.sha256).hexdigest()
