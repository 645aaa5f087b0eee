"""Sending one letter to one contact: two fields, what they mean, Send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from services.crm.api import ContactView
from services.crm.commands import GetContact
from services.envelope.api import SendPreview
from services.envelope.commands import PreviewSend, SendLetter
from services.portal.web.access import Access
from services.portal.web.apis import PortalApis
from services.portal.web.choosing import Meant, meant, offer
from services.portal.web.forms import ActForm, hidden, position
from services.portal.web.presses import Presses
from services.portal.web.returning import NO_FACT, carried, fix_of
from shared.clock import Clock
from shared.errors import DomainError
from shared.web.forms import select, text

DAYS: Final = 7
CHOICES: Final = tuple(str(day) for day in range(DAYS, 0, -1))
AT_RECORD: Final = frozenset(
    {
        "record_unknown",
        "record_not_theirs",
        "record_missing",
        "record_not_fitting",
        "data_missing",
    }
)


class SendForm(ActForm):
    """A page, perhaps a record, and how long the link lives."""

    page = text("Page number or words of the title")
    record = text("Record key")
    days = select("Link works", [(day, day) for day in CHOICES])
    act = hidden()  # preview or send; Ctrl+Enter sends without a button
    pick_page = hidden()  # a press on one of the offered pages
    pick_record = hidden()
    seen = hidden()  # page and record of the preview that script has shown
    confirmed = hidden()  # what the Check page showed
    fix = hidden()  # never filled: its errors lead to the link out of the preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What stands beside the two fields: a preview, or what is in its way."""

    page: Meant
    preview: SendPreview | None = None
    refusal: DomainError | None = None


def sending_pages(apis: PortalApis, access: Access, clock: Clock) -> Blueprint:
    """Build the send page, its preview fragment and the Check page."""
    pages = Blueprint("sending", __name__, template_folder="templates")
    presses = Presses()

    def look_up(contact: str) -> ContactView:
        request_ = GetContact(contact_id=contact, after=position())
        return apis.crm.contact(request_, access.context("crm", "contact"))

    def look(contact: str, form: SendForm) -> Look | None:
        """Ask what sending would do; None while nothing is typed."""
        if not form.page.data:
            return None
        page = meant(apis, access, form.page.data)
        if page.problem:
            return Look(page=page)
        try:
            preview = apis.envelope.preview(
                PreviewSend(
                    contact_id=contact,
                    page=page.page,
                    record=form.record.data or None,
                    sender_name=access.me().formal_name,
                ),
                access.context("envelope", "preview"),
            )
        except DomainError as refusal:
            return Look(page=page, refusal=refusal)
        return Look(page=page, preview=preview)

    def beside(form: SendForm, shown: Look | None) -> dict[str, object]:
        """Return what the template of the preview needs."""
        page = shown.page.page if shown else None
        return {
            "look": shown,
            "record": form.record.data or "",
            "until": _expiry(form, clock.now()),
            "fix": fix_of(shown.refusal if shown else None),
            "no_fact": NO_FACT,
            "chosen": carried({**form.data, "page": page}),
        }

    def drawn(contact: str, form: SendForm, shown: Look | None) -> str:
        now = clock.now()
        return render_template(
            "portal/send.html",
            contact=look_up(contact),
            form=form,
            offer=offer(apis, access, contact),
            lives=[(day, now + timedelta(days=day)) for day in range(DAYS, 0, -1)],
            **beside(form, shown),
        )

    def check(contact: str, form: SendForm, page: str, preview: SendPreview) -> str:
        """Return the page that asks before something unusual is sent."""
        return render_template(
            "portal/check.html",
            contact=look_up(contact),
            form=form,
            command=form.command(),
            page=page,
            preview=preview,
            until=_expiry(form, clock.now()),
        )

    def sent(contact: str, page: str, form: SendForm, command: UUID) -> Response:
        done = apis.envelope.send(
            SendLetter(
                contact_id=contact,
                page=page,
                record=form.record.data or None,
                sender_name=access.me().formal_name,
                expires_at=None if _days(form) == DAYS else _expiry(form, clock.now()),
            ),
            access.context("envelope", "send", command),
        )
        presses.remember(command)
        place = url_for(
            "messages.show",
            envelope=done.envelope_id,
            done="sent",
            after=done.position,
        )
        return redirect(place, 303)

    @pages.get("/contacts/<contact>/new")
    def ask(contact: str) -> str:
        """Show the two fields, what they mean now, or what to check before sending."""
        form = SendForm.read(**{"days": str(DAYS), **carried(request.args)})
        _take_picks(form)
        shown = look(contact, form)
        pressed = form.command_id.data and form.act.data != "preview"
        if shown and shown.preview:
            if pressed and not form.errors:
                return check(contact, form, shown.page.page, shown.preview)
            form.settle("fix")
        return drawn(contact, form, shown)

    @pages.post("/contacts/<contact>/new")
    def send(contact: str) -> Response:
        """Send, or show what is in the way; unusual sendings are checked first."""
        form = SendForm.read()
        _take_picks(form)
        if not form.accepted() or form.act.data == "preview":
            return form.again()
        command = form.command()
        shown = look(contact, form)
        if shown is None or shown.page.problem:
            page = meant(apis, access, form.page.data)
            form.blame("page", page.problem)
            return form.again()
        if shown.preview is not None and not presses.known(command):
            told = f"{shown.page.page} {form.record.data}"
            unusual = [*shown.preview.warnings] if form.seen.data == told else ["check"]
            if unusual and form.confirmed.data != told:
                return form.again()
        try:
            return sent(contact, shown.page.page, form, command)
        except DomainError as refusal:
            told = f"{refusal} {refusal.hint}".strip()
            form.blame(_field(refusal), str(refusal) if fix_of(refusal) else told)
            return form.again()

    @pages.post("/contacts/<contact>/new/preview")
    def preview(contact: str) -> str:
        """Return what stands beside the fields as a fragment, while somebody types."""
        form = SendForm.read()
        shown = look(contact, form)
        return render_template(
            "portal/_look.html", contact_id=contact, **beside(form, shown)
        )

    return pages


def _take_picks(form: SendForm) -> None:
    """Let a press on an offered page or record fill its field, and preview it."""
    for picked, field in ((form.pick_page, "page"), (form.pick_record, "record")):
        if picked.data:
            form.fill(field, picked.data)
            form.fill("act", "preview")


def _field(refusal: DomainError) -> str:
    """Return where a refusal is put right: in a field here, or by leaving this page."""
    if fix_of(refusal):
        return "fix"
    return "record" if refusal.code in AT_RECORD else "page"


def _days(form: SendForm) -> int:
    return int(form.days.data) if form.days.data in CHOICES else DAYS


def _expiry(form: SendForm, now: datetime) -> datetime:
    return now + timedelta(days=_days(form))
