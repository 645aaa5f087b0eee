"""Members of staff and their roles, for administrators."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from werkzeug import Response

from services.portal.api import StaffCard
from services.portal.commands import (
    GetStaff,
    InviteStaff,
    ListStaff,
    MakeSignInLink,
    SetRole,
)
from services.portal.web.access import Access
from services.portal.web.apis import PortalApis
from services.portal.web.forms import ActForm, position
from services.portal.web.words import ROLES
from shared.errors import DomainError
from shared.web.forms import boxes, text
from shared.web.frame import leave_notice
from shared.web.sessions import Sessions
from shared.web.settings import WebSettings


class InviteForm(ActForm):
    """A new member of staff."""

    formal_name = text(
        "Formal name",
        hint="As recipients will read it: Ms Anna Ferris",
        required="Enter the formal name",
    )
    email = text("E-mail address", required="Enter the e-mail address")
    roles = boxes("Roles", list(ROLES.items()), required="Choose at least one role")


class RolesForm(ActForm):
    """The roles of one member of staff. What is not ticked is revoked."""

    roles = boxes("Roles", list(ROLES.items()))


def staff_pages(
    apis: PortalApis, access: Access, sessions: Sessions, settings: WebSettings
) -> Blueprint:
    """Build the pages about members of staff."""
    pages = Blueprint("staff", __name__, template_folder="templates")

    def look_up(staff: str) -> StaffCard:
        return apis.staff.staff(
            GetStaff(staff_id=staff), access.context("portal", "staff")
        )

    @pages.get("/staff")
    def index() -> str:
        """List everybody by name."""
        everybody = apis.staff.all_staff(
            ListStaff(after=position()), access.context("portal", "all_staff")
        )
        return render_template("portal/staff.html", everybody=everybody)

    @pages.route("/staff/new", methods=["GET", "POST"])
    def new() -> str | Response:
        """Enter a member of staff."""
        form = InviteForm.read()
        if form.accepted():
            try:
                done = apis.staff.invite(
                    InviteStaff(
                        formal_name=form.formal_name.data,
                        email=form.email.data,
                        roles=tuple(form.roles.data),
                    ),
                    access.context("portal", "invite", form.command()),
                )
            except DomainError as refusal:
                field = "email" if "mail" in str(refusal) else "formal_name"
                form.blame(field, f"{refusal}")
            else:
                place = url_for("staff.show", staff=done.ref)
                return leave_notice(redirect(place, 303), "staff_invited")
        if form.posted():
            return form.again()
        return render_template("portal/staff_new.html", form=form)

    @pages.route("/staff/<staff>", methods=["GET", "POST"])
    def show(staff: str) -> str | Response:
        """Show one member of staff; grant and revoke roles."""
        card = look_up(staff)
        form = RolesForm.read(roles=list(card.roles))
        if form.accepted():
            try:
                set_roles(card, set(form.roles.data), form)
            except DomainError as refusal:
                form.blame("roles", f"{refusal} {refusal.hint}".strip())
            else:
                place = redirect(url_for("staff.show", staff=staff), 303)
                return leave_notice(place, "roles_saved")
        if form.posted():
            return form.again()
        return render_template("portal/staff_member.html", card=card, form=form)

    def set_roles(card: StaffCard, wanted: set[str], form: ActForm) -> None:
        """Grant first, then revoke; who loses a role signs in afresh."""
        context = access.context("portal", "set_role", form.command())
        have = set(card.roles)
        changes = [(role, True) for role in sorted(wanted - have)]
        changes += [(role, False) for role in sorted(have - wanted)]
        for role, granted in changes:
            apis.staff.set_role(
                SetRole(staff_id=card.staff_id, role=role, granted=granted),
                context.step(f"{role} {granted}"),
            )
        if have - wanted and card.staff_id != access.me().staff_id:
            sessions.end_all(card.staff_id)

    @pages.post("/staff/<staff>/link")
    def link(staff: str) -> str:
        """Make a one-time sign-in link and show it this once, on this very page."""
        form = ActForm.read()
        done = apis.staff.make_sign_in_link(
            MakeSignInLink(staff_id=staff),
            access.context("portal", "make_sign_in_link", form.command()),
        )
        return render_template(
            "portal/staff_link.html",
            card=look_up(staff),
            link=settings.link(url_for("signin.link", secret=done.ref)),
        )

    return pages
