"""Who holds which role: one aggregate for all of staff.

Together, because one rule spans all of them: somebody must stay an administrator. Kept
in one stream, two administrators who revoke each other at the same moment cannot both
succeed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from services.portal.commands import SetRole
from services.portal.errors import LastAdmin, RoleUnknown, StaffInvalid
from services.portal.events import RoleGranted, RoleRevoked
from shared.events import Event

ADMIN: Final = "admin"
ROLES: Final = ("sender", "author", "executive", "compliance", ADMIN)
"""Every role there is, in the order pages show them."""


@dataclass(frozen=True, slots=True)
class Roster:
    """The roles of each person who ever held one."""

    held: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, staff_id: str) -> tuple[str, ...]:
        """Return the person's roles as of now, in the order of `ROLES`."""
        held = self.held.get(staff_id, frozenset())
        return tuple(role for role in ROLES if role in held)

    def admins(self) -> frozenset[str]:
        """Return the ids of all administrators."""
        return frozenset(who for who, held in self.held.items() if ADMIN in held)


def refuse_unknown(roles: Iterable[str]) -> None:
    """Refuse what is no role, or no role at all.

    Raises:
        RoleUnknown: one of them does not exist.
        StaffInvalid: there is none.
    """
    wanted = list(roles)
    if not wanted:
        raise StaffInvalid("Give the person at least one role.")
    if not set(wanted) <= set(ROLES):
        raise RoleUnknown


def begin(roster: Roster, staff_id: str, roles: Iterable[str]) -> list[Event]:
    """Grant a new person the roles to begin with; those held already are left out."""
    held, wanted = roster.of(staff_id), set(roles)
    return [
        RoleGranted(staff_id=staff_id, granted=role)
        for role in ROLES
        if role in wanted and role not in held
    ]


def change(roster: Roster, request: SetRole) -> list[Event]:
    """Grant or revoke one role; nothing if it is so already.

    Raises:
        RoleUnknown: there is no such role.
        LastAdmin: nobody would be left to administer.
    """
    refuse_unknown([request.role])
    if (request.role in roster.of(request.staff_id)) == request.granted:
        return []
    if request.granted:
        return [RoleGranted(staff_id=request.staff_id, granted=request.role)]
    if request.role == ADMIN and roster.admins() == {request.staff_id}:
        raise LastAdmin
    return [RoleRevoked(staff_id=request.staff_id, revoked=request.role)]


def evolve(roster: Roster, event: Event) -> Roster:
    """Apply one fact. Total: a fact this version does not know changes nothing."""
    match event:
        case RoleGranted(staff_id=staff_id, granted=role):
            held = roster.held.get(staff_id, frozenset()) | {role}
        case RoleRevoked(staff_id=staff_id, revoked=role):
            held = roster.held.get(staff_id, frozenset()) - {role}
        case _:
            return roster
    return Roster({**roster.held, staff_id: held})
