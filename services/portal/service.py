"""How other services reach the staff service: translate, delegate, nothing else."""

from __future__ import annotations

from services.portal.api import StaffApi, StaffCard
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
from shared.messaging.nameko_typed import provided, rpc


class StaffService:
    """RPC entry points. Each method is one operation of `StaffApi`."""

    name = "portal"
    api: StaffApi = provided("portal")

    @rpc
    def invite(self, request: InviteStaff, context: CallContext) -> Done:
        """Make a member of staff; `ref` is the id. Raises StaffInvalid, RoleUnknown."""
        return self.api.invite(request, context)

    @rpc
    def set_role(self, request: SetRole, context: CallContext) -> Done:
        """Grant or revoke. Raises StaffUnknown, RoleUnknown, LastAdmin."""
        return self.api.set_role(request, context)

    @rpc
    def make_sign_in_link(self, request: MakeSignInLink, context: CallContext) -> Done:
        """Make a one-time link's secret, as `ref`. Raises StaffUnknown."""
        return self.api.make_sign_in_link(request, context)

    @rpc
    def use_sign_in_link(
        self, request: UseSignInLink, context: CallContext
    ) -> StaffCard:
        """Sign in once. Raises SignInLinkUsed."""
        return self.api.use_sign_in_link(request, context)

    @rpc
    def set_password(self, request: SetPassword, context: CallContext) -> Done:
        """Choose one's own password. Raises PasswordTooWeak, NotAllowed."""
        return self.api.set_password(request, context)

    @rpc
    def sign_in(self, request: SignIn, context: CallContext) -> StaffCard:
        """Sign in. Raises SignInRefused, alike for unknown and known addresses."""
        return self.api.sign_in(request, context)

    @rpc
    def sign_out(self, request: SignOut, context: CallContext) -> Done:
        """Record one's own signing out. Raises NotAllowed, StaffUnknown."""
        return self.api.sign_out(request, context)

    @rpc
    def staff(self, request: GetStaff, context: CallContext) -> StaffCard:
        """Return one member of staff, roles as of now. Raises StaffUnknown."""
        return self.api.staff(request, context)

    @rpc
    def all_staff(
        self, request: ListStaff, context: CallContext
    ) -> tuple[StaffCard, ...]:
        """Return everybody, by name."""
        return self.api.all_staff(request, context)


SERVICE = StaffService
