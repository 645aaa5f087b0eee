"""The staff portal's pages, put together.

Owns sessions and forms, no facts: every act goes through the gated operations of the
services. Never sees a letter that was sent, only what sending would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Blueprint, Flask, request, url_for
from werkzeug import Response

from services.portal.web.access import Access
from services.portal.web.account import account_pages, organisation_pages
from services.portal.web.apis import PortalApis
from services.portal.web.approvals import approval_pages
from services.portal.web.audience import AUDIENCE, PUBLIC, STAFF
from services.portal.web.contacts import contact_pages
from services.portal.web.evidence import evidence_pages
from services.portal.web.forms import command_field
from services.portal.web.home import home_pages
from services.portal.web.letters import letter_pages
from services.portal.web.messages import message_pages
from services.portal.web.positions import use_positions
from services.portal.web.requests import request_pages
from services.portal.web.sending import sending_pages
from services.portal.web.signin import signin_pages
from services.portal.web.staff import staff_pages
from services.portal.web.texts import NAMES, NOTICES
from shared.clock import Clock
from shared.web.app import build_app
from shared.web.errors import error_page
from shared.web.frame import Frame, NavItem
from shared.web.limits import Limiter
from shared.web.security import ForeignRequest
from shared.web.sessions import Sessions, current_session
from shared.web.settings import WebSettings

__all__ = ["AUDIENCE", "PortalApis", "build_portal_app"]

NAV: Final = (  # words, endpoint, blueprints that count as being there
    ("Home", "home.show", ("home",)),
    ("Contacts", "contacts.index", ("contacts", "sending", "messages", "requests")),
    ("Letters", "letters.index", ("letters", "approvals")),
    ("Evidence", "evidence.index", ("evidence",)),
    ("Staff", "staff.index", ("staff",)),
    ("Organisation", "organisation.edit", ("organisation",)),
    ("My account", "account.show", ("account",)),
)


def build_portal_app(
    apis: PortalApis,
    *,
    settings: WebSettings,
    clock: Clock,
    sessions: Sessions,
    limits: Limiter | None = None,
) -> Flask:
    """Return the portal as a Flask app. Opens nothing.

    Args:
        apis: the operations of every service, gated for the portal.
        settings: addresses and limits of this site.
        clock: tells the time on pages and in limits.
        sessions: where sign-ins are kept.
        limits: counts tries at the sign-in; a fresh one unless given.
    """
    access = Access(apis)
    extras = Blueprint(
        "extras", __name__, static_folder="static", static_url_path="/extras"
    )
    app = build_app(
        "portal",
        settings=settings,
        clock=clock,
        sessions=sessions,
        frame=lambda: _frame(access),
        notices=NOTICES,
        context=_names(access),
        blueprints=[
            extras,
            signin_pages(apis, access, sessions, limits or Limiter(clock)),
            home_pages(apis, access, clock),
            contact_pages(apis, access, clock),
            sending_pages(apis, access, clock),
            message_pages(apis, access, clock),
            letter_pages(apis, access, clock),
            approval_pages(apis, access, clock),
            request_pages(apis, access, clock),
            evidence_pages(apis, access, clock),
            staff_pages(apis, access, sessions, settings),
            organisation_pages(apis, access),
            account_pages(apis, access, sessions),
        ],
    )
    app.before_request(access.check)
    use_positions(app)
    app.register_error_handler(ForeignRequest, _foreign)
    return app


def _names(access: Access) -> Mapping[str, object]:
    return {
        **NAMES,
        "may": access.may,
        "house_name": access.house_name,
        "command_field": command_field,
    }


def _frame(access: Access) -> Frame:
    person = access.person()
    if person is None:
        return Frame(home=url_for("home.show"))
    here = request.blueprint or ""
    return Frame(
        nav=tuple(
            NavItem(text=words, href=url_for(endpoint), current=here in areas)
            for words, endpoint, areas in NAV
            if person.roles and _open_to(access, endpoint)
        ),
        person=person.formal_name,
        home=url_for("home.show"),
        sign_out=url_for("signin.leave"),
        help=url_for("home.help_page") if person.roles else "",
        accessibility=(
            url_for("home.help_page", _anchor="accessibility") if person.roles else ""
        ),
    )


def _open_to(access: Access, endpoint: str) -> bool:
    deed = AUDIENCE[endpoint]
    return deed in {PUBLIC, STAFF} or access.may(*deed)


def _foreign(error: ForeignRequest) -> Response:
    """Tell who was signed out meanwhile so; everybody else the uniform page."""
    known = AUDIENCE.get(request.endpoint or "")
    if current_session() is None and known not in {PUBLIC, None}:
        return error_page(
            status=error.http_status,
            code="signed_out",
            title="You are signed out",
            message="Your session ended, so nothing was changed.",
            hint="Go to the home page to sign in, then do it again.",
        )
    return error_page(
        status=error.http_status,
        code=error.code,
        title="Not allowed",
        message=str(error),
        hint=error.hint,
    )
