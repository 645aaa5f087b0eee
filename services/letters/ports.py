"""What the handlers and reactions of the letters service need."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.letters.api import PageList, PageRow
from services.letters.commands import SearchPages, SearchRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionPlace:
    """What became of a revision, and where in the store its text lies."""

    revision: int
    position: int
    drafted_at: datetime
    status: str
    decided_by: str | None
    decided_at: datetime | None
    comment_at: int | None  # where in the store it says why it was returned


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePlace:
    """A page as the list knows it; its revisions newest first."""

    row: PageRow
    fact_required: bool
    withdrawn_at: int | None  # where in the store it says why
    revisions: tuple[RevisionPlace, ...]
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlaces:
    """Where in the store the newest states of records lie, latest first."""

    positions: tuple[int, ...]
    fresh: bool


class Index(Protocol):
    """Finds pages and records. Knows titles and ids; never a body, never a value."""

    def pages(self, request: SearchPages) -> PageList:
        """Return the pages found, those changed last first."""
        ...

    def page(self, number: str, after: int) -> PagePlace:
        """Return one page. Raises PageUnknown."""
        ...

    def records(self, request: SearchRecords) -> RecordPlaces:
        """Return where the records found lie."""
        ...


class ContactKeys(Protocol):
    """The keys of contacts. `shared.crypto.keyring.Keyring` is one."""

    def destroy(self, owner: str) -> bool:
        """Destroy the owner's keys for ever; repeatable."""
        ...
