"""Approving, returning and withdrawing: what only an executive does."""

from __future__ import annotations

import re
from typing import Final

from flask import Blueprint, redirect, render_template, url_for
from werkzeug import Response

from services.letters.api import PageView
from services.letters.commands import (
    ApprovePage,
    GetPage,
    ReturnPage,
    WithdrawPage,
)
from services.portal.web.access import Access
from services.portal.web.apis import PortalApis
from services.portal.web.forms import ActForm, hidden, position
from services.portal.web.revisions import lines_between, looked
from services.portal.web.words import PURPOSES
from shared.clock import Clock
from shared.errors import DomainError
from shared.web.forms import area, radios, tick
from shared.web.frame import leave_notice

REVISION: Final = re.compile(r"[0-9]{1,6}")
CLASSES: Final = [
    (
        "private",
        "Private: opened by a known fact on file, else by a one-time code",
    ),
    ("open", "Open: opened by typing the family name. Only for what anybody may read"),
]


class ReviewForm(ActForm):
    """How the letter may be sent, or why it goes back."""

    letter_class = radios("Who may open it", CLASSES, required="Choose who may open it")
    purpose = radios(
        "What it is for", list(PURPOSES.items()), required="Choose what it is for"
    )
    fact_required = tick("Only to people with a known fact on file")
    reason = area("What should be changed", hint="One line.", longest=500)
    act = hidden()  # approve or return
    revision = hidden()  # the one that was read


class WithdrawForm(ActForm):
    """Why a page is no longer sent."""

    reason = area("Reason", required="Enter the reason", longest=500)


def approval_pages(apis: PortalApis, access: Access, clock: Clock) -> Blueprint:
    """Build the review page and the page that withdraws."""
    pages = Blueprint("approvals", __name__, template_folder="templates")

    def look_up(page: str) -> PageView:
        return apis.letters.page(
            GetPage(page=page, after=position()), access.context("letters", "page")
        )

    def drawn(view: PageView, form: ReviewForm) -> str:
        newest = view.revisions[0]
        approved = next(
            (r for r in view.revisions if r.revision == view.row.approved_revision),
            None,
        )
        form.fill("revision", str(newest.revision))
        return render_template(
            "portal/letter_review.html",
            view=view,
            row=view.row,
            newest=newest,
            approved=approved,
            rendition=looked(apis, access, newest),
            lines=lines_between(approved, newest) if approved is not newest else [],
            own=newest.author_id == access.me().staff_id,
            form=form,
            names=access.names(),
            now=clock.now(),
        )

    def decide(page: str, form: ReviewForm) -> int:
        """Approve or return, and return the position."""
        read = form.revision.data or ""
        revision = int(read) if REVISION.fullmatch(read) else 0
        if form.act.data == "return":
            return apis.letters.return_(
                ReturnPage(page=page, revision=revision, reason=form.reason.data),
                access.context("letters", "return_", form.command()),
            ).position
        return apis.letters.approve(
            ApprovePage(
                page=page,
                revision=revision,
                letter_class=form.letter_class.data,
                purpose=form.purpose.data,
                fact_required=form.fact_required.data,
            ),
            access.context("letters", "approve", form.command()),
        ).position

    @pages.route("/letters/<page>/review", methods=["GET", "POST"])
    def review(page: str) -> str | Response:
        """Show the letter as it would look and what changed; take the decision."""
        view = look_up(page)
        form = ReviewForm.read(
            letter_class=view.row.letter_class or "private",
            purpose=view.row.purpose or "service",
            fact_required=view.fact_required,
        )
        if form.accepted():
            if form.act.data == "return" and not form.reason.data:
                form.blame("reason", "Say what should be changed")
            else:
                try:
                    at = decide(page, form)
                except DomainError as refusal:
                    form.blame("letter_class", f"{refusal} {refusal.hint}".strip())
                    return form.again()
                returned = form.act.data == "return"
                notice = "letter_returned" if returned else "letter_approved"
                place = url_for("letters.show", page=page, after=at)
                return leave_notice(redirect(place, 303), notice)
        return form.again() if form.posted() else drawn(view, form)

    @pages.route("/letters/<page>/withdraw", methods=["GET", "POST"])
    def withdraw(page: str) -> str | Response:
        """Stop new sends of a page, after saying what that means."""
        form = WithdrawForm.read()
        if form.accepted():
            done = apis.letters.withdraw(
                WithdrawPage(page=page, reason=form.reason.data),
                access.context("letters", "withdraw", form.command()),
            )
            place = url_for("letters.show", page=page, after=done.position)
            return leave_notice(redirect(place, 303), "letter_withdrawn")
        if form.posted():
            return form.again()
        view = look_up(page)
        return render_template("portal/letter_withdraw.html", row=view.row, form=form)

    return pages
