"""The door of an envelope. Works without script; knows nothing but the token."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from services.envelope.api import Door, EnvelopeApi
from services.envelope.commands import AskCode, AskFresh, Knock, OpenEnvelope
from services.envelope.errors import AnswerMissing, AnswerWrong
from services.viewer.web.asking import TICKET, TOKEN, asking, command_id_of
from services.viewer.web.words import QUESTIONS, days_left
from shared.clock import Clock
from shared.errors import DomainError
from shared.ids import mint
from shared.web.cookies import set_cookie
from shared.web.limits import Limiter
from shared.web.security import browser_id
from shared.web.sources import source

STATUS = {"open": 200, "locked": 429, "unknown": 404, "erased": 404}
GONE = 410


def door_pages(envelope: EnvelopeApi, limiter: Limiter, clock: Clock) -> Blueprint:
    """Build the pages around one token."""
    pages = Blueprint("door", __name__, template_folder="templates")

    def knock(token: str) -> Door:
        known = token if TOKEN.fullmatch(token) else ""
        return envelope.knock(Knock(token=known), asking(anonymous=True))

    def page(
        token: str, *, error: str = "", status: int = 0, code_sent: bool = False
    ) -> tuple[str, int]:
        """Render the door as it stands now."""
        door = knock(token)
        shown = render_template(
            "viewer/door.html",
            door=door,
            token=token,
            organisation=door.organisation.name or "Letterlock",
            question=QUESTIONS.get(door.check),
            left=days_left(door.expires_at, clock.now()) if door.expires_at else "",
            command_id=str(mint()),
            code_sent=code_sent,
            error=error if door.state == "open" else "",
        )
        plain = STATUS.get(door.state, GONE)
        return shown, status if status and door.state == "open" else plain

    def admit(token: str, what: str) -> None:
        limiter.admit(what, account=token, source=source(), browser=browser_id())

    def heard(token: str, what: str, *, browser: str = "") -> None:
        """Give the try back: it was no guess."""
        limiter.succeeded(what, account=token, source=source(), browser=browser)

    @pages.get("/e/<token>")
    def ask(token: str) -> tuple[str, int]:
        """Ask first: mail scanners fetch links, so a GET shows nothing private."""
        browser_id()
        return page(token, code_sent=request.args.get("code") == "sent")

    @pages.post("/e/<token>")
    def enter(token: str) -> Response | tuple[str, int]:
        """Let the envelope service judge the answer, then leave the token behind."""
        answer = request.form.get("answer", "").strip()
        code_sent = request.form.get("code_sent") == "yes"
        if not answer:
            return page(token, error=str(AnswerMissing()), status=422)
        admit(token, "door")
        try:
            ticket = envelope.open(
                OpenEnvelope(token=token, browser=browser_id(), answer=answer),
                asking(command_id_of(request.form.get("command_id", ""))),
            )
        except (AnswerWrong, AnswerMissing) as wrong:
            return page(
                token,
                error=_told(wrong, code_sent=code_sent),
                status=wrong.http_status,
                code_sent=code_sent,
            )
        except DomainError as shut:
            return page(token, error=str(shut), status=shut.http_status)
        heard(token, "door", browser=browser_id())
        response = redirect(url_for("letter.show"), code=303)
        set_cookie(response, TICKET, ticket.ticket, same_site="Strict")
        return response

    @pages.post("/e/<token>/code")
    def send_code(token: str) -> Response | tuple[str, int]:
        """Mail a one-time code to the address on file, for this browser."""
        admit(token, "code")
        try:
            envelope.ask_code(
                AskCode(token=token, browser=browser_id()),
                asking(command_id_of(request.form.get("command_id", ""))),
            )
        except DomainError as shut:
            return page(token, error=f"{shut} {shut.hint}", status=shut.http_status)
        heard(token, "code")  # the service itself limits codes, contact by contact
        return redirect(url_for("door.ask", token=token, code="sent"), code=303)

    @pages.post("/e/<token>/fresh")
    def send_fresh(token: str) -> str | tuple[str, int]:
        """Send one fresh envelope to the address on file; never shown here."""
        admit(token, "fresh")
        envelope.ask_fresh(
            AskFresh(token=token),
            asking(command_id_of(request.form.get("command_id", ""))),
        )
        heard(token, "fresh")  # and fresh envelopes, to one a day
        door = knock(token)
        return render_template(
            "viewer/fresh.html",
            door=door,
            organisation=door.organisation.name or "Letterlock",
        )

    return pages


def _told(wrong: DomainError, *, code_sent: bool) -> str:
    """Say what was wrong; a code is not on file, so it is told apart."""
    told = f"{wrong} {wrong.hint}".strip()
    if not code_sent:
        return told
    return told.replace("what we have on file", "the newest code we sent you", 1)
