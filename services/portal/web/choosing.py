"""Which page and record a sender means: typed, or picked out of what is offered."""

from __future__ import annotations

from dataclasses import dataclass

from services.envelope.commands import GetRecentPages
from services.letters.api import PageRow, RecordRow
from services.letters.commands import GetPage, SearchPages, SearchRecords
from services.letters.errors import PageUnknown
from services.portal.web.access import Access
from services.portal.web.apis import PortalApis
from services.portal.web.places import PAGE

MOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the send page offers beside its two fields."""

    recent: tuple[PageRow, ...]  # sent last by this person, newest first
    pages: tuple[PageRow, ...]  # every other approved page
    records: tuple[RecordRow, ...]  # of this contact


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """The page number that was meant; or why none is, and which could be."""

    page: str = ""
    problem: str = ""
    candidates: tuple[PageRow, ...] = ()


def offer(apis: PortalApis, access: Access, contact_id: str) -> Offer:
    """Return the last ten pages this person sent, all others, and the records."""
    approved = apis.letters.pages(
        SearchPages(status="approved", limit=MOST), access.context("letters", "pages")
    ).rows
    by_number = {row.page: row for row in approved}
    latest = apis.envelope.recent_pages(
        GetRecentPages(actor_id=access.me().staff_id),
        access.context("envelope", "recent_pages"),
    )
    for number in latest:
        if number not in by_number:
            try:
                by_number[number] = apis.letters.page(
                    GetPage(page=number), access.context("letters", "page")
                ).row
            except PageUnknown:
                continue
    recent = tuple(
        by_number[number]
        for number in latest
        if number in by_number and by_number[number].status != "withdrawn"
    )
    return Offer(
        recent=recent,
        pages=tuple(row for row in approved if row not in recent),
        records=apis.letters.records(
            SearchRecords(contact_id=contact_id), access.context("letters", "records")
        ).rows,
    )


def meant(apis: PortalApis, access: Access, typed: str) -> Meant:
    """Return the page that `typed` names: six digits, or words of one title."""
    if PAGE.match(typed):
        return Meant(page=typed)
    if not typed:
        return Meant(problem="Enter a page number, or words of the title")
    found = apis.letters.pages(
        SearchPages(query=typed, status="approved", limit=MOST),
        access.context("letters", "pages"),
    ).rows
    if len(found) == 1:
        return Meant(page=found[0].page)
    if not found:
        return Meant(problem="No approved letter has this number or these words")
    return Meant(
        problem=f"{len(found)} letters match: choose one by its number",
        candidates=found[:10],
    )
