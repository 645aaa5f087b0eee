"""Every operation about members of staff, and the views it answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from services.portal.commands import (
    GetStaff,
    InviteStaff,
    ListStaff,
    MakeSignInLink,
    SetPassword,
    SetRole,
    SignIn,
    SignOut,
    UseSignInLink,
)
from shared.context import CallContext, Done


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffCard:
    """One member of staff, as of now."""

    staff_id: str
    formal_name: str
    email: str
    roles: tuple[str, ...]
    has_password: bool


class StaffApi(Protocol):
    """Operations about members of staff."""

    def invite(self, request: InviteStaff, context: CallContext) -> Done:
        """Make a member of staff; `ref` is the id. Raises StaffInvalid, RoleUnknown."""
        ...

    def set_role(self, request: SetRole, context: CallContext) -> Done:
        """Grant or revoke. Raises StaffUnknown, RoleUnknown, LastAdmin."""
        ...

    def make_sign_in_link(self, request: MakeSignInLink, context: CallContext) -> Done:
        """Make a one-time link's secret, as `ref`. Raises StaffUnknown.

        It lives 24 hours and ends every earlier one. For a person without any role
        there is none (StaffInvalid).
        """
        ...

    def use_sign_in_link(
        self, request: UseSignInLink, context: CallContext
    ) -> StaffCard:
        """Sign in once. Raises SignInLinkUsed."""
        ...

    def set_password(self, request: SetPassword, context: CallContext) -> Done:
        """Choose one's own password. Raises PasswordTooWeak, NotAllowed."""
        ...

    def sign_in(self, request: SignIn, context: CallContext) -> StaffCard:
        """Sign in. Raises SignInRefused, alike for unknown and known addresses."""
        ...

    def sign_out(self, request: SignOut, context: CallContext) -> Done:
        """Record one's own signing out. Raises NotAllowed, StaffUnknown."""
        ...

    def staff(self, request: GetStaff, context: CallContext) -> StaffCard:
        """Return one member of staff, roles as of now. Raises StaffUnknown."""
        ...

    def all_staff(
        self, request: ListStaff, context: CallContext
    ) -> tuple[StaffCard, ...]:
        """Return everybody, by name."""
        ...
