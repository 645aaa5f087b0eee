"""How the recipient wants to be contacted, by the link at the foot of an envelope."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from services.envelope.api import EnvelopeApi
from services.envelope.commands import GetChoices, SetChoice
from services.viewer.web.asking import TOKEN, asking, command_id_of
from shared.errors import Malformed
from shared.ids import mint

STOPS = (
    (
        "marketing",
        "News and offers",
        "Letters that advertise something. Those about your own business still come.",
    ),
    (
        "messages",
        "E-mail and text messages",
        "No more messages with a link. What must reach you comes by post, or we ring.",
    ),
    (
        "all",
        "All contact",
        "We do not contact you at all, except by post where the law makes us.",
    ),
)


def choices_pages(envelope: EnvelopeApi) -> Blueprint:
    """Build the page of the three stops. A GET changes nothing."""
    pages = Blueprint("choices", __name__, template_folder="templates")

    @pages.get("/c/<token>")
    def show(token: str) -> tuple[str, int]:
        """Show which stops stand, each with one button."""
        known = token if TOKEN.fullmatch(token) else ""
        found = envelope.choices(GetChoices(token=known), asking(anonymous=True))
        shown = render_template(
            "viewer/choices.html",
            found=found,
            stops=STOPS,
            token=token,
            saved=request.args.get("saved") == "yes",
            command_ids={stop: str(mint()) for stop, _, _ in STOPS},
            organisation=found.organisation.name or "Letterlock",
        )
        return shown, 200 if found.state == "open" else 404

    @pages.post("/c/<token>")
    def choose(token: str) -> Response:
        """Set or lift one stop; it is obeyed from now on."""
        stop = request.form.get("stop", "")
        wanted = request.form.get("stopped", "")
        if stop not in {name for name, _, _ in STOPS} or wanted not in {"yes", "no"}:
            raise Malformed("Choose one of the buttons on the page.")
        envelope.choose(
            SetChoice(token=token, stop=stop, stopped=wanted == "yes"),
            asking(command_id_of(request.form.get("command_id", ""))),
        )
        return redirect(url_for("choices.show", token=token, saved="yes"), code=303)

    return pages
