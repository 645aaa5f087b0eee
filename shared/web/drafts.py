"""What was typed into a form that led to no act yet, until the act is done.

So every page comes by GET: going back or reloading never asks to send a form again. The
address only says that something is kept, the values lie with the session, sealed under
a key made of the session's token. That token is in the browser's cookie and nowhere
else: between two requests nobody can open a draft, whoever holds `sessions.db`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from flask import Flask, current_app, g, redirect, request
from werkzeug import Response

from shared.crypto.seal import associated, box, keyed_hash, subkey, unbox
from shared.errors import Fault
from shared.web.cookies import SESSION
from shared.web.sessions import Sessions, current_session

MARK: Final = "kept"  # in the query of a page that shows what was kept
_DONE: Final = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Posted pairs in their order, and what is wrong with which field."""

    values: Sequence[tuple[str, str]] = field(repr=False)
    errors: Mapping[str, Sequence[str]] = field(repr=False)


NOTHING: Final = Draft(values=(), errors={})


def use_drafts(app: Flask) -> None:
    """Forget what was kept for an address as soon as a form sent there has led on."""
    app.after_request(_forget_what_is_done)


def show_again(draft: Draft, place: str = "") -> Response:
    """Keep `draft` and send the browser to the GET page that shows it.

    Args:
        draft: holds no password and no other secret; that is the caller's care.
        place: path and query of that page; the path posted to unless given. What
            the request's own query said is not repeated: it may be made up.
    """
    parts = urlsplit(place or request.path)
    path = parts.path
    if store := _store():
        asked = parse_qsl(parts.query)
        told = json.dumps([list(draft.values), dict(draft.errors), asked]).encode()
        sealed = box(_sealing(), associated("draft", path), told)
        store.keep_draft(_token(), _form(path), sealed)
        g.ll_draft_kept = path
    query = f"{parts.query}&" if parts.query else ""
    return redirect(f"{path}?{query}{MARK}=yes", 303)


def kept_draft() -> Draft:
    """Return what was kept for the page asked for, if it asks for it; else nothing.

    A form that differs by its query is another page: it gets nothing of this one.

    Raises:
        CorruptRecord: the draft was altered, or moved here from another form.
    """
    store = _store()
    if store is None or MARK not in request.args or current_session() is None:
        return NOTHING
    sealed = store.find_draft(_token(), _form(request.path))
    if sealed is None:
        return NOTHING
    ad = associated("draft", request.path)
    told = json.loads(unbox(_sealing(), ad, sealed, where="a form's draft"))
    values, errors, asked = told
    if any(request.args.get(name) != value for name, value in asked):
        return NOTHING
    return Draft(values=[(name, value) for name, value in values], errors=errors)


def _forget_what_is_done(response: Response) -> Response:
    done = request.method == "POST" and response.status_code in _DONE
    kept_here = g.get("ll_draft_kept") == request.path
    store = _store() if done and not kept_here else None
    if store:
        with suppress(Fault):  # the act is done; the draft fades by itself
            store.drop_draft(_token(), _form(request.path))
    return response


def _store() -> Sessions | None:
    """Return where drafts lie; None at a site, or for a browser, without sessions."""
    found = current_app.extensions.get("ll_sessions")
    return found if isinstance(found, Sessions) and _token() else None


def _token() -> str:
    return request.cookies.get(SESSION, "")


def _sealing() -> bytes:
    return subkey(_token().encode(), "web-draft")


def _form(path: str) -> bytes:
    """Return by which name the draft of a path is kept: it tells nothing either."""
    return keyed_hash(_sealing(), "form", path)
