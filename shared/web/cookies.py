"""Cookies: one way to set one, one way to drop one. All `__Host-`, none readable."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

from werkzeug import Response

SESSION: Final = "__Host-ll-session"
BROWSER: Final = "__Host-ll-browser"
NOTICE: Final = "__Host-ll-notice"
SameSite = Literal["Lax", "Strict"]


def set_cookie(
    response: Response,
    name: str,
    value: str,
    *,
    life: timedelta | None = None,
    same_site: SameSite = "Lax",
) -> None:
    """Set a cookie for this host only, unreadable by script, sent only over TLS.

    Without `life` it ends with the browser. Browsers count loopback as secure.

    Raises:
        ValueError: the name lacks the `__Host-` prefix.
    """
    if not name.startswith("__Host-"):
        message = f"cookie {name!r} must start with __Host-"
        raise ValueError(message)
    response.set_cookie(
        name,
        value,
        max_age=life,
        path="/",
        secure=True,
        httponly=True,
        samesite=same_site,
    )


def drop_cookie(response: Response, name: str, *, same_site: SameSite = "Lax") -> None:
    """Tell the browser to forget a cookie at once."""
    set_cookie(response, name, "", life=timedelta(0), same_site=same_site)
