"""The trail, for compliance officers: plain words beside the names of record."""

from __future__ import annotations

import csv
import io
from typing import Final

from flask import Blueprint, render_template, request
from werkzeug import Response

from services.audit.api import Trail, TrailLine
from services.audit.commands import GetTrail
from services.portal.web.access import Access
from services.portal.web.apis import PortalApis
from services.portal.web.forms import position
from services.portal.web.history import how, title, who
from services.portal.web.places import HEX
from services.portal.web.words import EVENTS
from shared.clock import Clock

PAGE_OF: Final = 50
COLUMNS: Final = (
    "position", "at", "event", "etsi", "actor_kind", "actor", "role", "contact",
    "contact_seq", "envelope", "reason", "grade", "means", "page", "revision",
    "detail", "letter_hash", "rendition", "event_id", "digest",
)  # fmt: skip
DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r")


def evidence_pages(apis: PortalApis, access: Access, clock: Clock) -> Blueprint:
    """Build the trail and its table for spreadsheets."""
    pages = Blueprint("evidence", __name__, template_folder="templates")

    def asked() -> tuple[str, str]:
        """Return event name and contact id of the filter; nonsense is no filter."""
        event, contact = request.args.get("type", ""), request.args.get("contact", "")
        contact = contact.strip()
        return event if event in EVENTS else "", contact if HEX.match(contact) else ""

    def trail(limit: int) -> Trail:
        event, contact = asked()
        return apis.audit.trail(
            GetTrail(
                contact_id=contact or None,
                type_name=event or None,
                before=position("before"),
                limit=limit,
            ),
            access.context("audit", "trail"),
        )

    @pages.get("/evidence")
    def index() -> str:
        """Show the trail, newest first, filtered and in pages."""
        event, contact = asked()
        found, names = trail(PAGE_OF), access.names()
        told = [
            (line, title(line), who(line, names), how(line)) for line in found.lines
        ]
        return render_template(
            "portal/evidence.html",
            found=found,
            told=told,
            event=event,
            contact=contact,
            odd=bool(request.args.get("contact", "")) and not contact,
            paged=position("before") > 0,
            last=found.lines[-1].position if found.lines else 0,
            now=clock.now(),
        )

    @pages.get("/evidence.csv")
    def table() -> Response:
        """Return up to 1,000 lines of the same trail as a table, codes as recorded."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        for line in trail(1000).lines:
            writer.writerow([_cell(line, column) for column in COLUMNS])
        return Response(
            text.getvalue(),
            mimetype="text/csv",
            headers={"Content-Disposition": 'attachment; filename="evidence.csv"'},
        )

    return pages


def _cell(line: TrailLine, column: str) -> str:
    """Return one cell; text that a spreadsheet would run is made plain (S33)."""
    if column == "at":
        return line.at.isoformat()
    value = getattr(line, column)
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(DANGEROUS) else text
