"""The first page: what this person needs most, and what needs somebody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from flask import Blueprint, render_template

from services.audit.api import TrailLine
from services.audit.commands import GetTrail
from services.crm.api import ContactRow
from services.crm.commands import SearchContacts
from services.envelope.api import MessageRow
from services.envelope.commands import GetAttention, GetOrganisation
from services.letters.api import PageRow
from services.letters.commands import SearchPages
from services.portal.web.access import Access
from services.portal.web.apis import PortalApis
from shared.clock import Clock

FEW: Final = 5
FAILED: Final = frozenset({"not_delivered", "unconfirmed"})
MORNING_ENDS, AFTERNOON_ENDS = 12, 18  # hours, UTC


def home_pages(apis: PortalApis, access: Access, clock: Clock) -> Blueprint:
    """Build the home page, which each role sees its own way, and the help page."""
    pages = Blueprint("home", __name__, template_folder="templates")

    def attention() -> tuple[MessageRow, ...]:
        if not access.may("envelope", "attention"):
            return ()
        context = access.context("envelope", "attention")
        return apis.envelope.attention(GetAttention(), context).rows

    def letters(status: str) -> tuple[PageRow, ...]:
        context = access.context("letters", "pages")
        return apis.letters.pages(SearchPages(status=status), context).rows

    def mine() -> list[PageRow]:
        if not access.may("letters", "draft"):
            return []
        me = access.me().staff_id
        own = [row for row in letters("") if row.author_id == me]
        return sorted(own, key=lambda row: row.status != "draft")[:FEW]

    def latest() -> tuple[ContactRow, ...]:
        if not access.may("crm", "search"):
            return ()
        context = access.context("crm", "search")
        return apis.crm.search(SearchContacts(limit=FEW), context).rows

    def trail() -> tuple[TrailLine, ...]:
        if not access.may("audit", "trail"):
            return ()
        context = access.context("audit", "trail")
        return apis.audit.trail(GetTrail(limit=FEW), context).lines

    def described() -> bool:
        if not access.may("envelope", "describe"):
            return True
        context = access.context("envelope", "organisation")
        return bool(apis.envelope.organisation(GetOrganisation(), context).name)

    @pages.get("/")
    def show() -> str:
        """Show the search, then what needs attention, each part by role."""
        rows, now = attention(), clock.now()
        executive = access.may("letters", "approve")
        return render_template(
            "portal/home.html",
            greeting=_greeting(now),
            undelivered=[row for row in rows if row.status in FAILED],
            lapsing=[row for row in rows if row.status not in FAILED],
            waiting=letters("submitted") if executive else (),
            executive=executive,
            mine=mine(),
            latest=latest(),
            trail=trail(),
            described=described(),
            now=now,
            soon=now + timedelta(hours=24),
        )

    @pages.get("/help")
    def help_page() -> str:
        """Explain sending, the words of the lists, the keys, and accessibility."""
        return render_template("portal/help.html")

    return pages


def _greeting(now: datetime) -> str:
    if now.hour < MORNING_ENDS:
        return "Good morning"
    return "Good afternoon" if now.hour < AFTERNOON_ENDS else "Good evening"
