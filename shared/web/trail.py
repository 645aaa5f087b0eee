"""Lines of a timeline, ready to be shown: when, what, who, how it is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. What machines did stands folded under it in `automatic`."""

    at: datetime  # aware
    title: str
    who: str = ""  # empty = nobody is guessed at
    how: str = ""  # how it is known, e.g. "grade 3, postcode"
    state: str = ""  # state of a chip, if the line changed it
    automatic: tuple[Entry, ...] = ()
