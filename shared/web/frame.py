"""What stands around the content of a page: navigation, the person, one notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from flask import current_app, g, request
from werkzeug import Response

from shared.web.cookies import NOTICE, drop_cookie, set_cookie

Tone = Literal["done", "note", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """One entry of the main navigation."""

    text: str
    href: str
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The frame of one page, made by the site for each request."""

    nav: tuple[NavItem, ...] = ()
    person: str = ""  # name of who is signed in, shown beside "Sign out"
    home: str = "/"
    sign_out: str = ""  # path that takes the POST; empty = nobody is signed in
    help: str = ""  # paths of the footer; empty = not shown
    accessibility: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One sentence shown once, on the page after an act. Fixed text, not personal."""

    text: str
    tone: Tone = "done"


EMPTY: Final = Frame()


def leave_notice(response: Response, code: str) -> Response:
    """Have the next page show the notice that `build_app` was given under `code`.

    Raises:
        KeyError: there is no notice of that code.
    """
    known: Mapping[str, Notice] = current_app.extensions["ll_notices"]
    if code not in known:
        raise KeyError(code)
    set_cookie(response, NOTICE, code)
    return response


def take_notice() -> Notice | None:
    """Return the notice left by the last act, once; a code not in the list is none."""
    known: Mapping[str, Notice] = current_app.extensions["ll_notices"]
    g.ll_notice_taken = NOTICE in request.cookies
    return known.get(request.cookies.get(NOTICE, ""))


def forget_notice(response: Response) -> Response:
    """Drop the notice that this page has shown."""
    if g.get("ll_notice_taken"):
        drop_cookie(response, NOTICE)
    return response
