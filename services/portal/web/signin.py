"""Signing in and out: by password, or once by a link an administrator made."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from services.portal.commands import SignIn, SignOut, UseSignInLink
from services.portal.errors import SignInLinkUsed, SignInRefused
from services.portal.web.access import NOBODY, Access
from services.portal.web.apis import PortalApis
from services.portal.web.forms import hidden
from services.portal.web.places import address
from shared.context import CallContext
from shared.errors import DomainError
from shared.ids import mint
from shared.web.forms import PageForm, password, text
from shared.web.limits import Limiter, TooManyTries, seconds
from shared.web.security import browser_id
from shared.web.sessions import Sessions, sign_in, sign_out
from shared.web.sources import source

TRY: Final = "sign-in"


class SignInForm(PageForm):
    """E-mail address, password, and where to go on."""

    email = text("E-mail address", required="Enter your e-mail address")
    password = password("Password", required="Enter your password")
    back = hidden()
    id = hidden()


def signin_pages(
    apis: PortalApis, access: Access, sessions: Sessions, limits: Limiter
) -> Blueprint:
    """Build the pages around accounts, sessions and the counter of tries."""
    pages = Blueprint("signin", __name__, template_folder="templates")

    def _admitted(account: str) -> None:
        limits.admit(TRY, account=account, source=source(), browser=browser_id())

    def _succeeded(account: str) -> None:
        limits.succeeded(TRY, account=account, source=source(), browser=browser_id())

    @pages.get("/sign-in")
    def ask() -> str | Response:
        """Ask for e-mail address and password."""
        given = request.args
        if access.person() is not None:
            return redirect(address(given.get("back", ""), given.get("id", "")), 303)
        form = SignInForm.read(back=given.get("back", ""), id=given.get("id", ""))
        return render_template("portal/sign_in.html", form=form)

    @pages.post("/sign-in")
    def enter() -> tuple[str, int] | Response:
        """Judge them; one answer for an unknown address and a wrong password."""
        form = SignInForm.read()
        if not form.accepted():
            return render_template("portal/sign_in.html", form=form), 422
        account = form.email.data.casefold()
        try:
            _admitted(account)
            request_ = SignIn(email=form.email.data, password=form.password.data)
            card = apis.staff.sign_in(request_, _stranger())
        except (SignInRefused, TooManyTries) as refusal:
            form.blame("email", f"{refusal} {refusal.hint}")
            page = render_template("portal/sign_in.html", form=form)
            answer = make_response(page, refusal.http_status)
            if isinstance(refusal, TooManyTries):
                answer.headers["Retry-After"] = str(seconds(refusal.retry_after))
            return answer
        _succeeded(account)
        place = redirect(address(form.back.data, form.id.data), 303)
        return sign_in(place, sessions, card.staff_id)

    @pages.get("/sign-in/link/<secret>")
    def link(secret: str) -> str:
        """Show one button; a fetch of the link uses nothing up."""
        return render_template("portal/sign_in_link.html", secret=secret)

    @pages.post("/sign-in/link/<secret>")
    def use_link(secret: str) -> tuple[str, int] | Response:
        """Use the link up and begin a session."""
        try:
            _admitted(secret)
            card = apis.staff.use_sign_in_link(
                UseSignInLink(secret=secret), _stranger()
            )
        except SignInLinkUsed as refusal:
            page = render_template("portal/sign_in_link_dead.html", refusal=refusal)
            return page, refusal.http_status
        _succeeded(secret)
        return sign_in(redirect(url_for("home.show"), 303), sessions, card.staff_id)

    @pages.post("/sign-out")
    def leave() -> Response:
        """End the session on the server, then in the browser."""
        with suppress(DomainError):  # whatever the record says, the session ends
            apis.staff.sign_out(
                SignOut(staff_id=access.me().staff_id),
                access.context("portal", "sign_out"),
            )
        return sign_out(redirect(url_for("signin.ask"), 303), sessions)

    return pages


def _stranger() -> CallContext:
    command_id = mint()
    return CallContext(
        command_id=command_id,
        correlation_id=command_id,
        actor_id=NOBODY,
        actor_kind="anonymous",
        role=NOBODY,
    )
