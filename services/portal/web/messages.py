"""One message: what happened to it, and what can still be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from services.audit.api import Trail
from services.audit.commands import GetTimeline
from services.audit.errors import TrailUnknown
from services.envelope.api import MessageRow, MessageView
from services.envelope.commands import CancelSend, GetMessage, RenewLink, SetExpiry
from services.envelope.errors import EnvelopeUnknown, ExpiryInvalid, ExpiryTooLate
from services.letters.api import RevisionView
from services.letters.commands import GetPage
from services.letters.errors import PageUnknown
from services.portal.web import positions
from services.portal.web.access import Access
from services.portal.web.apis import PortalApis
from services.portal.web.forms import ActForm, position
from services.portal.web.history import entries
from services.portal.web.words import REASONS
from shared.clock import Clock
from shared.web.forms import day, select, text

SHUT: Final = frozenset(
    {"cancelled", "disabled", "expired", "lapsed_unread", "recalled", "erased"}
)
OUTCOMES: Final[Mapping[str, frozenset[str]]] = {  # act -> while its outcome holds
    "sent": frozenset({"accepted", "sent"}),
    "cancelled": frozenset({"cancelled"}),
    "disabled": frozenset({"disabled"}),
    "expiry": frozenset(
        {"accepted", "sent", "not_delivered", "unconfirmed", "link_opened", "viewed"}
        | {"renewed"}
    ),
    "renewed": frozenset({"renewed"}),
}
CHOOSE: Final = "Choose the reason"
REASON_CHOICES: Final = [("", "Choose one"), *REASONS.items()]


class DisableForm(ActForm):
    """Why the envelope is switched off."""

    reason = select("Reason", REASON_CHOICES, required=CHOOSE)


class ExpiryForm(ActForm):
    """Another end of the link's life, and why."""

    day = day("Date", hint="For example 27 11 2026", required="Enter the date")
    time = text(
        "Time, UTC",
        hint="24 hours, for example 14:05",
        required="Enter the time",
        pattern="([01][0-9]|2[0-3]):[0-5][0-9]",
        wrong="Enter the time as hours and minutes, for example 14:05",
    )
    reason = select("Reason", REASON_CHOICES, required=CHOOSE)


def message_pages(apis: PortalApis, access: Access, clock: Clock) -> Blueprint:
    """Build the page of a message and the pages of what can be done about it."""
    pages = Blueprint("messages", __name__, template_folder="templates")

    def look_up(envelope: str) -> MessageView:
        return apis.envelope.message(
            GetMessage(envelope_id=envelope, after=position()),
            access.context("envelope", "message"),
        )

    def trail(envelope: str) -> Trail:
        try:
            return apis.audit.timeline(
                GetTimeline(envelope_id=envelope, after=position()),
                access.context("audit", "timeline"),
            )
        except TrailUnknown:
            return Trail(lines=(), fresh=False)

    def approval(row: MessageRow) -> RevisionView | None:
        """Return the edition that was sent, with who approved it and when."""
        try:
            page = apis.letters.page(
                GetPage(page=row.page), access.context("letters", "page")
            )
        except PageUnknown:
            return None
        return next((r for r in page.revisions if r.revision == row.revision), None)

    def drawn(template: str, envelope: str, form: ActForm) -> str:
        message = look_up(envelope)
        return render_template(
            template,
            message=message,
            row=message.row,
            form=form,
            entries=entries(trail(envelope).lines, access.names()),
            now=clock.now(),
        )

    def back(envelope: str, outcome: str, at: int) -> Response:
        place = url_for("messages.show", envelope=envelope, done=outcome, after=at)
        return redirect(place, 303)

    def shorten(
        envelope: str, until: datetime, reason: str, command: UUID, outcome: str
    ) -> Response:
        done = apis.envelope.set_expiry(
            SetExpiry(envelope_id=envelope, expires_at=until, reason=reason),
            access.context("envelope", "set_expiry", command),
        )
        return back(envelope, outcome, done.position)

    @pages.get("/messages/<envelope>")
    def show(envelope: str) -> str:
        """Show what happened and can be done; first an outcome that still holds."""
        try:
            message = look_up(envelope)
        except EnvelopeUnknown:
            if positions.NAME not in request.args:  # nobody was sent here by an act
                raise
            return render_template("portal/still_updating.html")
        told = trail(envelope)
        return render_template(
            "portal/message.html",
            message=message,
            row=message.row,
            open=message.row.status not in SHUT,
            entries=entries(told.lines, access.names()),
            approval=approval(message.row),
            names=access.names(),
            fresh=message.fresh and told.fresh,
            done=_outcome(message),
            now=clock.now(),
        )

    @pages.post("/messages/<envelope>/undo")
    def undo(envelope: str) -> Response:
        """Undo the sending while it has not left."""
        form = ActForm.read()
        done = apis.envelope.cancel(
            CancelSend(envelope_id=envelope),
            access.context("envelope", "cancel", form.command()),
        )
        return back(envelope, "cancelled", done.position)

    @pages.route("/messages/<envelope>/disable", methods=["GET", "POST"])
    def disable(envelope: str) -> str | Response:
        """Switch the envelope off at once, after saying what that means."""
        form = DisableForm.read()
        if form.accepted():
            command = form.command()
            now = clock.now()
            return shorten(envelope, now, form.reason.data, command, "disabled")
        if form.posted():
            return form.again()
        return drawn("portal/message_disable.html", envelope, form)

    @pages.route("/messages/<envelope>/expiry", methods=["GET", "POST"])
    def expiry(envelope: str) -> str | Response:
        """Set the expiry to any earlier moment; one in the past switches it off."""
        form = ExpiryForm.read(time="12:00")
        if form.accepted():
            until = _moment(form.day.data, form.time.data)
            outcome = "disabled" if until <= clock.now() else "expiry"
            try:
                return shorten(
                    envelope, until, form.reason.data, form.command(), outcome
                )
            except (ExpiryInvalid, ExpiryTooLate) as refusal:
                form.blame("day", f"{refusal} {refusal.hint}".strip())
        if form.posted():
            return form.again()
        return drawn("portal/message_expiry.html", envelope, form)

    @pages.route("/messages/<envelope>/renew", methods=["GET", "POST"])
    def renew(envelope: str) -> str | Response:
        """Send one fresh envelope to the address on file; earlier links die."""
        form = ActForm.read()
        if form.accepted():
            done = apis.envelope.renew(
                RenewLink(envelope_id=envelope),
                access.context("envelope", "renew", form.command()),
            )
            return back(envelope, "renewed", done.position)
        return drawn("portal/message_renew.html", envelope, form)

    return pages


def _outcome(message: MessageView) -> str:
    """Return the act in the address while its outcome holds; a list may be behind."""
    act = request.args.get("done", "")
    holds = message.row.status in OUTCOMES.get(act, ())
    return act if holds or (act in OUTCOMES and not message.fresh) else ""


def _moment(on: date | None, typed: str) -> datetime:
    """Return the instant of a date and a time already found to be in form."""
    hours, minutes = typed.split(":")
    begin = datetime.combine(on or date.min, time(), tzinfo=UTC)
    return begin + timedelta(hours=int(hours), minutes=int(minutes))
