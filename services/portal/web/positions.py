"""Positions in the store that people were sent on to, so that none is made up.

A page waits up to two seconds for the lists behind it to come to the position in its
address. No list ever comes to one that the store has not reached, and whoever invents
such positions would keep threads waiting: they are not waited for at all.
"""

from __future__ import annotations

import threading
from typing import Final
from urllib.parse import parse_qs, urlsplit

from flask import Flask, current_app
from werkzeug import Response

NAME: Final = "after"
LARGEST: Final = 2**63 - 1
_EXTENSION: Final = "ll_positions"


class Positions:
    """The highest position handed out since this process began."""

    def __init__(self) -> None:
        """Begin with none."""
        self._highest = 0
        self._lock = threading.Lock()

    def hand_out(self, position: int) -> None:
        """Remember that somebody is sent on to `position`."""
        with self._lock:
            self._highest = max(self._highest, position)

    def waited_for(self, position: int) -> int:
        """Return `position`, or 0 if it was never handed out here."""
        with self._lock:
            return position if position <= self._highest else 0


def use_positions(app: Flask) -> None:
    """Have every redirect of `app` remembered."""
    app.extensions[_EXTENSION] = Positions()
    app.after_request(_remember)


def waited_for(position: int) -> int:
    """Return `position` if this process has sent anybody to it, else 0."""
    known: Positions = current_app.extensions[_EXTENSION]
    return known.waited_for(position)


def number(text: str) -> int:
    """Return the position that `text` is, 0 if it is none."""
    return min(int(text[:20]), LARGEST) if text.isascii() and text.isdigit() else 0


def _remember(response: Response) -> Response:
    if response.location:
        query = parse_qs(urlsplit(response.location).query)
        known: Positions = current_app.extensions[_EXTENSION]
        known.hand_out(number(query.get(NAME, [""])[0]))
    return response
