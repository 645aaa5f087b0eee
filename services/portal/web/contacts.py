"""Contacts: finding one, their messages, details and choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from services.crm.api import ContactPage, ContactRow, ContactView
from services.crm.commands import (
    ForgetContact,
    GetContact,
    SearchContacts,
    SetStop,
)
from services.crm.errors import ContactErased, ContactInvalid
from services.envelope.commands import GetMessages
from services.portal.web import contact_form
from services.portal.web.access import Access
from services.portal.web.apis import PortalApis
from services.portal.web.contact_form import ChoicesForm, ContactForm, EraseForm
from services.portal.web.forms import position
from services.portal.web.returning import carried
from shared.clock import Clock
from shared.web.forms import PageForm, text
from shared.web.frame import leave_notice

STOPS: Final = ("marketing", "messages", "all")
LONGEST_QUERY: Final = 200


class SearchForm(PageForm):
    """Words of a name, a reference or a postcode."""

    q = text("Find a contact", longest=LONGEST_QUERY)


def contact_pages(apis: PortalApis, access: Access, clock: Clock) -> Blueprint:
    """Build the pages about contacts."""
    pages = Blueprint("contacts", __name__, template_folder="templates")

    def find_people(query: str) -> ContactPage:
        return apis.crm.search(
            SearchContacts(query=query[:LONGEST_QUERY], after=position()),
            access.context("crm", "search"),
        )

    def look_up(contact: str) -> ContactView:
        request_ = GetContact(contact_id=contact, after=position())
        return apis.crm.contact(request_, access.context("crm", "contact"))

    def chosen() -> dict[str, str]:
        """Return what waits on the send page, if whoever came from there may send."""
        return carried(request.args) if access.may("envelope", "send") else {}

    @pages.route("/contacts", methods=["GET", "POST"])
    def index() -> str | Response:
        """Search. Our own form posts, so that names stay out of addresses."""
        form = SearchForm.read(q=request.args.get("q", ""))
        if form.posted():
            return form.again()
        found = find_people(form.q.data)
        return render_template(
            "portal/contacts.html",
            query=form.q.data,
            found=found,
            alike=alike(found.rows),
        )

    @pages.post("/contacts/find")
    def find() -> str:
        """Return the same results as a fragment, while somebody types."""
        found = find_people(SearchForm.read().q.data)
        return render_template(
            "portal/_results.html", found=found, alike=alike(found.rows)
        )

    @pages.route("/contacts/new", methods=["GET", "POST"])
    def new() -> str | Response:
        """Enter a person."""
        form = ContactForm.read(kind="customer")
        if form.accepted():
            try:
                done = apis.crm.create(
                    contact_form.creation(form),
                    access.context("crm", "create", form.command()),
                )
            except (ContactInvalid, ContactErased) as refusal:
                contact_form.blame(form, refusal)
            else:
                shown = "show" if access.may("envelope", "messages") else "details"
                place = url_for(
                    f"contacts.{shown}", contact=done.ref, after=done.position
                )
                return leave_notice(redirect(place, 303), "contact_created")
        if form.posted():
            return form.again()
        return render_template("portal/contact_new.html", form=form)

    @pages.get("/contacts/<contact>")
    def show(contact: str) -> str:
        """Show the message list, newest first."""
        known = look_up(contact) if access.may("crm", "contact") else None
        found = apis.envelope.messages(
            GetMessages(
                contact_id=contact, before=position("before"), after=position()
            ),
            access.context("envelope", "messages"),
        )
        return render_template(
            "portal/contact_messages.html",
            contact=known,
            contact_id=contact,
            found=found,
            paged=position("before") > 0,
            now=clock.now(),
        )

    @pages.get("/contacts/<contact>/details")
    def details(contact: str) -> str:
        """Show the details, in a form for whoever may change them."""
        known = look_up(contact)
        form = ContactForm.read(**contact_form.values(known))
        return render_template(
            "portal/contact_details.html",
            contact=known,
            form=form,
            chosen=chosen(),
        )

    @pages.post("/contacts/<contact>/details")
    def change(contact: str) -> Response:
        """Replace the details; whoever came from a sending goes back to it."""
        form, back = ContactForm.read(), chosen()
        if form.accepted():
            try:
                done = apis.crm.change(
                    contact_form.change(contact, form),
                    access.context("crm", "change", form.command()),
                )
            except ContactInvalid as refusal:
                contact_form.blame(form, refusal)
            else:
                place = url_for(
                    "sending.ask" if back else "contacts.details",
                    contact=contact,
                    after=done.position,
                    **back,  # type: ignore[arg-type]  # a route's own names
                )
                return leave_notice(redirect(place, 303), "contact_changed")
        return form.again(
            url_for("contacts.details", contact=contact, **back)  # type: ignore[arg-type]  # a route's own names
        )

    @pages.get("/contacts/<contact>/choices")
    def choices(contact: str) -> str:
        """Show the three stops."""
        known = look_up(contact)
        form = ChoicesForm.read(stops=list(known.stops))
        return render_template("portal/contact_choices.html", contact=known, form=form)

    @pages.post("/contacts/<contact>/choices")
    def choose(contact: str) -> Response:
        """Record what the person asked for: one command for each stop."""
        form = ChoicesForm.read()
        if not form.accepted():
            return form.again()
        context = access.context("crm", "set_stop", form.command())
        last = 0
        for stop in STOPS:
            done = apis.crm.set_stop(
                SetStop(
                    contact_id=contact,
                    stop=stop,
                    stopped=stop in form.stops.data,
                    door="portal",
                    wording=f"{contact_form.WORDING}/{form.told.data}",
                ),
                context.step(f"{stop} {stop in form.stops.data}"),
            )
            last = max(last, done.position)
        place = url_for("contacts.choices", contact=contact, after=last)
        return leave_notice(redirect(place, 303), "choices_saved")

    @pages.route("/contacts/<contact>/erase", methods=["GET", "POST"])
    def erase(contact: str) -> str | Response:
        """Erase a person, after saying what that means."""
        form = EraseForm.read()
        if form.accepted():
            apis.crm.forget(
                ForgetContact(contact_id=contact, reason=form.reason.data),
                access.context("crm", "forget", form.command()),
            )
            place = redirect(url_for("home.show"), 303)
            return leave_notice(place, "contact_erased")
        if form.posted():
            return form.again()
        return render_template(
            "portal/contact_erase.html", contact=look_up(contact), form=form
        )

    return pages


def alike(rows: Sequence[ContactRow]) -> frozenset[str]:
    """Return the ids of those who could be mistaken for another in the same list.

    Alike means the same last name and first names that begin with the same letter.
    """
    seen: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        words = row.formal_name.casefold().split()
        if len(words) > 1:
            key = words[-1], words[-2][:1]
            seen.setdefault(key, []).append(row.contact_id)
    return frozenset(one for ids in seen.values() if len(ids) > 1 for one in ids)
