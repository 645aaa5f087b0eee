"""Pages that need no link: where you are, help, accessibility."""

from __future__ import annotations

from flask import Blueprint, render_template

from services.envelope.api import EnvelopeApi
from services.viewer.web.asking import organisation_of


def plain_pages(envelope: EnvelopeApi) -> Blueprint:
    """Build the pages that anybody may see."""
    pages = Blueprint("plain", __name__, template_folder="templates")

    def render(template: str) -> str:
        organisation = organisation_of(envelope)
        return render_template(
            template,
            who=organisation,
            organisation=organisation.name or "Letterlock",
        )

    @pages.get("/")
    def index() -> str:
        """Say what this address is, to whoever typed it by hand."""
        return render("viewer/index.html")

    @pages.get("/help")
    def help_page() -> str:
        """Explain links, answers and codes."""
        return render("viewer/help.html")

    @pages.get("/accessibility")
    def accessibility() -> str:
        """Say how these pages can be used, and whom to tell when they cannot."""
        return render("viewer/accessibility.html")

    return pages
