"""One's own account, and the page of the organisation."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from services.envelope.commands import DescribeOrganisation, GetOrganisation
from services.envelope.errors import OrganisationInvalid
from services.portal.commands import SetPassword
from services.portal.errors import PasswordTooWeak
from services.portal.web.access import Access
from services.portal.web.apis import PortalApis
from services.portal.web.forms import ActForm
from services.portal.web.words import ROLES
from shared.web.cookies import SESSION
from shared.web.forms import area, password, text
from shared.web.frame import leave_notice
from shared.web.sessions import Sessions


class PasswordForm(ActForm):
    """A new password, typed once: it can be shown while typing."""

    password = password(
        "New password",
        hint="12 characters or more. A few unusual words are good.",
        required="Enter a new password",
    )


class OrganisationForm(ActForm):
    """Who the organisation is, as envelopes, doors and letters show it."""

    name = text("Name", required="Enter the name of the organisation")
    registered_number = text(
        "Registered number", required="Enter the registered number"
    )
    registered_office = area(
        "Registered office", required="Enter the registered office", longest=300
    )
    help_phone = text(
        "Telephone for help", required="Enter the telephone number for help"
    )
    sender_domain = text(
        "Sender domain",
        hint="Envelopes come from no-reply at this domain",
        required="Enter the sender domain",
    )
    privacy_url = text(
        "Address of the privacy notice",
        hint="For example https://www.example.org/privacy",
        required="Enter the address of the privacy notice",
    )


def account_pages(apis: PortalApis, access: Access, sessions: Sessions) -> Blueprint:
    """Build the page of one's own account."""
    pages = Blueprint("account", __name__, template_folder="templates")

    @pages.route("/account", methods=["GET", "POST"])
    def show() -> str | Response:
        """Show who one is here; choose a password."""
        form, me = PasswordForm.read(), access.me()
        if form.accepted():
            try:
                apis.staff.set_password(
                    SetPassword(staff_id=me.staff_id, password=form.password.data),
                    access.context("portal", "set_password"),  # each press counts
                )
            except PasswordTooWeak as refusal:
                form.blame("password", f"{refusal} {refusal.hint}")
            else:
                sessions.end_all(me.staff_id, but=request.cookies.get(SESSION, ""))
                place = redirect(url_for("account.show"), 303)
                return leave_notice(place, "password_set")
        if form.posted():
            return form.again()
        return render_template(
            "portal/account.html",
            me=me,
            form=form,
            roles=[ROLES.get(role, role) for role in me.roles],
        )

    return pages


def organisation_pages(apis: PortalApis, access: Access) -> Blueprint:
    """Build the page that describes the organisation."""
    pages = Blueprint("organisation", __name__, template_folder="templates")

    @pages.route("/organisation", methods=["GET", "POST"])
    def edit() -> str | Response:
        """Describe the organisation."""
        context = access.context("envelope", "organisation")
        known = apis.envelope.organisation(GetOrganisation(), context)
        form = OrganisationForm.read(**asdict(known))
        if form.accepted():
            try:
                apis.envelope.describe(
                    DescribeOrganisation(
                        name=form.name.data,
                        registered_number=form.registered_number.data,
                        registered_office=" ".join(form.registered_office.data.split()),
                        help_phone=form.help_phone.data,
                        sender_domain=form.sender_domain.data,
                        privacy_url=form.privacy_url.data,
                    ),
                    access.context("envelope", "describe", form.command()),
                )
            except OrganisationInvalid as refusal:
                form.blame("name", str(refusal))
            else:
                place = redirect(url_for("organisation.edit"), 303)
                return leave_notice(place, "organisation_saved")
        if form.posted():
            return form.again()
        return render_template("portal/organisation.html", form=form)

    return pages
