"""Who is signed in, what they may do, and in which role they do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from flask import g, redirect, render_template, request, url_for
from werkzeug import Response

from services.envelope.commands import GetOrganisation
from services.portal.api import StaffCard
from services.portal.commands import GetStaff, ListStaff
from services.portal.errors import StaffUnknown
from services.portal.web.apis import PortalApis
from services.portal.web.audience import AUDIENCE, PUBLIC, Deed, roles_for
from services.portal.web.places import here, well_formed
from shared.context import CallContext, service_context
from shared.errors import NotAllowed, NotFound
from shared.ids import mint
from shared.web.sessions import current_session

NOBODY: Final = "anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a refused page was about; the gate puts it on the trail."""

    contact_id: str
    envelope_id: str
    page: str


class Access:
    """Answers for the request at hand; asks for the person's roles in each one."""

    def __init__(self, apis: PortalApis) -> None:
        """Ask `apis.staff` who is who; keep nothing between requests."""
        self._apis = apis

    def person(self) -> StaffCard | None:
        """Return who is signed in, with the roles of this moment; else None."""
        if "ll_person" not in g:
            g.ll_person = self._look_up()
        found: StaffCard | None = g.ll_person
        return found

    def me(self) -> StaffCard:
        """Return who is signed in. Raises NotAllowed if nobody is."""
        person = self.person()
        if person is None:
            raise NotAllowed
        return person

    def may(self, service: str, operation: str) -> bool:
        """Say whether one of the person's roles allows the operation."""
        person = self.person()
        roles = roles_for((service, operation))
        return person is not None and any(role in person.roles for role in roles)

    def context(
        self, service: str, operation: str, command_id: UUID | None = None
    ) -> CallContext:
        """Return the context of one call, in a role that allows it if there is one.

        Without such a role the gate refuses and puts the refusal on the trail.
        """
        me = self.me()
        allowed = [role for role in roles_for((service, operation)) if role in me.roles]
        role = next(iter([*allowed, *me.roles]), NOBODY)
        command_id = command_id or mint()
        return CallContext(
            command_id=command_id,
            correlation_id=command_id,
            actor_id=me.staff_id,
            actor_kind="staff",
            role=role,
        )

    def names(self) -> Mapping[str, str]:
        """Return the formal name of every member of staff, by id."""
        if "ll_names" not in g:
            context = self.context("portal", "all_staff")
            everybody = self._apis.staff.all_staff(ListStaff(), context)
            g.ll_names = {card.staff_id: card.formal_name for card in everybody}
        found: Mapping[str, str] = g.ll_names
        return found

    def house_name(self) -> str:
        """Return the organisation's name as letters bear it; "" until described."""
        if "ll_house" not in g:
            context = self.context("envelope", "organisation")
            g.ll_house = self._apis.envelope.organisation(
                GetOrganisation(), context
            ).name
        found: str = g.ll_house
        return found

    def check(self) -> Response | str | tuple[str, int] | None:
        """Let the request pass, or answer it: sign in first, no role, not yours.

        Raises:
            NotAllowed: none of the person's roles is among the page's audience.
        NotFound: a part of the address cannot be an id.
        """
        if request.endpoint is None:
            return None
        deed = AUDIENCE.get(request.endpoint)
        if deed == PUBLIC:
            return None
        person = self.person()
        if person is None:
            return redirect(_sign_in_first(), 303)
        if not person.roles:
            return render_template("portal/no_role.html"), 403
        if deed is None:
            raise NotAllowed
        if not well_formed(request.view_args or {}):
            raise NotFound
        if not self.may(*deed):
            self._refuse(deed)
        return None

    def _look_up(self) -> StaffCard | None:
        session = current_session()
        if session is None:
            return None
        try:
            request_ = GetStaff(staff_id=session.actor_id)
            return self._apis.staff.staff(request_, service_context("portal"))
        except StaffUnknown:
            return None

    def _refuse(self, deed: Deed) -> None:
        """Have the gate of the operation refuse, so that the attempt is evidence."""
        service, operation = deed
        owner = (
            self._apis.staff if service == "portal" else getattr(self._apis, service)
        )
        given = request.view_args or {}
        attempt = Attempt(
            contact_id=str(given.get("contact", "")),
            envelope_id=str(given.get("envelope", "")),
            page=str(given.get("page", "")),
        )
        getattr(owner, operation)(attempt, self.context(service, operation))
        raise NotAllowed


def _sign_in_first() -> str:
    back = urlencode(here())
    return url_for("signin.ask") + (f"?{back}" if back else "")
