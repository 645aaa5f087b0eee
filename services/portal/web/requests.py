"""Requests of a contact: the list, a new one on a form, and one in full."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from services.crm.api import ContactView
from services.crm.commands import GetContact
from services.letters.api import PageRow
from services.letters.commands import (
    FormField,
    GetPage,
    GetRecord,
    SaveRecord,
    SearchPages,
    SearchRecords,
)
from services.letters.errors import RecordInvalid
from services.portal.web.access import Access
from services.portal.web.apis import PortalApis
from services.portal.web.forms import ActForm, hidden, position
from services.portal.web.places import PAGE
from shared.clock import Clock
from shared.web.forms import Field, area, day, select, text
from shared.web.frame import leave_notice

LONG: Final = frozenset({"quotation", "address"})


class RequestForm(ActForm):
    """Base of a form page's form; its fields come from the page."""

    page = hidden()


def request_pages(apis: PortalApis, access: Access, clock: Clock) -> Blueprint:
    """Build the pages about requests."""
    pages = Blueprint("requests", __name__, template_folder="templates")

    def look_up(contact: str) -> ContactView:
        request_ = GetContact(contact_id=contact, after=position())
        return apis.crm.contact(request_, access.context("crm", "contact"))

    def forms() -> tuple[PageRow, ...]:
        found = SearchPages(page_type="form", status="approved", limit=50)
        return apis.letters.pages(found, access.context("letters", "pages")).rows

    @pages.get("/contacts/<contact>/requests")
    def index(contact: str) -> str:
        """List the requests in which the contact has a part."""
        found = apis.letters.records(
            SearchRecords(contact_id=contact, after=position()),
            access.context("letters", "records"),
        )
        return render_template(
            "portal/requests.html", contact=look_up(contact), found=found
        )

    @pages.route("/contacts/<contact>/requests/new", methods=["GET", "POST"])
    def new(contact: str) -> str | Response:
        """Choose a form, then record what the contact asked for on it."""
        posted = request.method == "POST"
        chosen = (request.form if posted else request.args).get("page", "")
        known = look_up(contact)
        if not PAGE.match(chosen):
            return render_template(
                "portal/request_choose.html", contact=known, forms=forms()
            )
        page = apis.letters.page(
            GetPage(page=chosen), access.context("letters", "page")
        )
        form = form_for(page.form).read(page=chosen)
        if form.accepted():
            try:
                done = apis.letters.save_record(
                    SaveRecord(
                        page=chosen, author_id=contact, fields=given(page.form, form)
                    ),
                    access.context("letters", "save_record", form.command()),
                )
            except RecordInvalid as refusal:
                blame(page.form, form, str(refusal))
            else:
                place = url_for("requests.index", contact=contact, after=done.position)
                return leave_notice(redirect(place, 303), "request_saved")
        if form.posted():
            return form.again(url_for("requests.new", contact=contact, page=chosen))
        return render_template(
            "portal/request_new.html", contact=known, page=page, form=form
        )

    @pages.get("/requests/<record>")
    def show(record: str) -> str:
        """Show one request with all its values."""
        view = apis.letters.record(
            GetRecord(record=record, after=position()),
            access.context("letters", "record"),
        )
        return render_template(
            "portal/request.html",
            view=view,
            contact=look_up(view.row.author_id),
            now=clock.now(),
        )

    return pages


def form_for(fields: tuple[FormField, ...]) -> type[RequestForm]:
    """Return the form class of a form page: one typed input for each of its fields."""
    return type("ThisRequest", (RequestForm,), {_key(f): _input(f) for f in fields})


def given(fields: tuple[FormField, ...], form: RequestForm) -> dict[str, str]:
    """Return what was typed, by the names of the form page; nothing for empty ones."""
    typed: dict[str, str] = {}
    for field in fields:
        value = form[_key(field)].data
        told = value.isoformat() if field.type == "date" and value else str(value or "")
        if told:
            typed[field.name] = told
    return typed


def blame(fields: tuple[FormField, ...], form: RequestForm, sentence: str) -> None:
    """Put the refusal at the field whose label it names, else at the first."""
    named = [field for field in fields if field.label in sentence]
    form.blame(_key((named or list(fields))[0]), sentence)


def _key(field: FormField) -> str:
    return f"field_{field.name}"


def _input(field: FormField) -> Field[object]:
    label = field.label if field.required else f"{field.label} (optional)"
    required = f"Enter: {field.label}" if field.required else ""
    made: Field[object]
    match field.type:
        case "choice":
            choices = [("", "Choose one"), *((c, c) for c in field.choices)]
            made = select(label, choices, required=required)
        case "date":
            made = day(label, hint="For example 3 11 2026", required=required)
        case "money":
            made = text(label, hint="For example 48.20", required=required)
        case "quotation":
            made = area(label, hint="Exactly as the person put it", required=required)
        case kind if kind in LONG:
            made = area(label, required=required, longest=1000)
        case _:
            made = text(label, required=required)
    return made
