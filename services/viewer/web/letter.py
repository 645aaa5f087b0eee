"""The letter itself, a copy to keep, and what happened to it."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request
from markupsafe import Markup

from services.envelope.api import EnvelopeApi, Letter
from services.envelope.commands import ReadLetter
from services.envelope.errors import TicketInvalid
from services.viewer.web.asking import TICKET, asking, organisation_of
from services.viewer.web.words import history
from shared.clock import Clock
from shared.errors import DomainError
from shared.web.security import browser_id


def letter_pages(envelope: EnvelopeApi, clock: Clock) -> Blueprint:
    """Build the pages that a ticket opens."""
    pages = Blueprint("letter", __name__, template_folder="templates")

    def ticket() -> ReadLetter:
        found = request.cookies.get(TICKET, "")
        if not found:
            raise TicketInvalid
        return ReadLetter(ticket=found, browser=browser_id())

    def shut(refusal: DomainError) -> tuple[str, int]:
        """Tell the truth to whoever held a genuine ticket."""
        organisation = organisation_of(envelope)
        return render_template(
            "viewer/shut.html",
            what=str(refusal),
            hint=refusal.hint,
            who=organisation,
            organisation=organisation.name or "Letterlock",
        ), refusal.http_status

    def facts(letter: Letter) -> dict[str, object]:
        return {
            "letter": letter,
            "body": Markup(letter.html),  # noqa: S704 - the sealed, sanitised rendition
            "organisation": letter.organisation.name,
        }

    @pages.get("/letter")
    def show() -> str | tuple[str, int]:
        """Show the letter; the service has written the evidence before."""
        try:
            letter = envelope.read(ticket(), asking())
        except DomainError as refusal:
            return shut(refusal)
        return render_template("viewer/letter.html", **facts(letter))

    @pages.get("/letter/copy")
    def copy() -> Response | tuple[str, int]:
        """Give the letter as one file to keep; it counts as a showing."""
        try:
            letter = envelope.read(ticket(), asking())
        except DomainError as refusal:
            return shut(refusal)
        response = Response(
            render_template("viewer/copy.html", **facts(letter)), mimetype="text/html"
        )
        response.headers["Content-Disposition"] = (
            f'attachment; filename="letter-{letter.reference}.html"'
        )
        return response

    @pages.get("/letter/history")
    def what_happened() -> str | tuple[str, int]:
        """Show the same timeline that staff see."""
        try:
            held = envelope.held(ticket(), asking())
        except DomainError as refusal:
            return shut(refusal)
        return render_template(
            "viewer/history.html",
            held=held,
            entries=history(held.trail),
            now=clock.now(),
            organisation=held.organisation.name,
        )

    return pages
