"""Who is staff, what they may do, and how they sign in."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.portal.api import StaffCard
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
from services.portal.errors import (
    PasswordTooWeak,
    SignInLinkUsed,
    SignInRefused,
    StaffInvalid,
)
from services.portal.handlers.links import LatelyTold, hash_of, opened, secret_of
from services.portal.handlers.registry import Registry
from services.portal.model import details, roster, staff
from services.portal.model.staff import Staff
from services.portal.ports import Directory, Hasher, Secrets
from shared.clock import Clock
from shared.context import CallContext, Done
from shared.crypto.passwords import PasswordRefused, refuse_weak
from shared.errors import NotAllowed
from shared.events import Event


class StaffHandlers:
    """Implements `StaffApi`. Who may call what is the gate's business."""

    def __init__(
        self,
        registry: Registry,
        directory: Directory,
        clock: Clock,
        hasher: Hasher,
        secrets: Secrets,
    ) -> None:
        """Work on `registry`; list by `directory`."""
        self._registry = registry
        self._directory = directory
        self._clock = clock
        self._hasher = hasher
        self._secrets = secrets
        self._told = LatelyTold()

    def invite(self, request: InviteStaff, context: CallContext) -> Done:
        """Make a member of staff of a named person; `ref` is the id.

        Three streams, in an order that can be broken off anywhere and repeated: the
        address is set aside, the person invited, the roles granted.

        Raises:
            StaffInvalid: no name of a person, no address, no role; or the address has
                its person already.
            RoleUnknown: there is no such role.
        """
        name = details.formal_name(request.formal_name)
        email = details.address(request.email)
        roster.refuse_unknown(request.roles)
        proposed = self._registry.proposed(email, context)
        staff_id = self._registry.claim(email, proposed, context)
        self._registry.act(
            staff_id, context, lambda s, _: staff.invite(s, staff_id, name, email)
        )
        return self._registry.enrol(
            context,
            lambda r: roster.begin(r, staff_id, request.roles),
            ref=staff_id,
        )

    def set_role(self, request: SetRole, context: CallContext) -> Done:
        """Grant or revoke one role, at once.

        Raises:
            StaffUnknown: nobody was invited under this id.
            RoleUnknown: there is no such role.
            LastAdmin: nobody would be left to administer.
        """
        staff.known(self._registry.person(request.staff_id).state)
        return self._registry.enrol(
            context, lambda r: roster.change(r, request), ref=request.staff_id
        )

    def make_sign_in_link(self, request: MakeSignInLink, context: CallContext) -> Done:
        """Make a one-time link; `ref` is its secret, told once. Older links end.

        A double press tells the same secret. Repeated when it is no longer in memory,
        the command is refused, for the secret is stored nowhere.

        Raises:
            StaffUnknown: nobody was invited under this id.
            StaffInvalid: the person holds no role, so there is nothing to sign in to.
            SignInLinkUsed: this very command made a link before that is over, or
                whose secret is gone.
        """
        staff_id = request.staff_id
        staff.known(self._registry.person(staff_id).state)
        if not self._registry.roles(staff_id):
            raise StaffInvalid("This person holds no role. Grant one first.")
        secret = self._told.first(
            context.command_id,
            staff_id,
            lambda: secret_of(staff_id, self._secrets.fresh()),
        )
        link_hash = hash_of(secret)
        done = self._registry.act(
            staff_id,
            context,
            lambda s, at: staff.make_link(s, link_hash, at),
            ref=secret,
        )
        if self._registry.person(staff_id).state.link_hash != link_hash:
            raise SignInLinkUsed("This link was told already. Make a new one.")
        return done

    def use_sign_in_link(
        self, request: UseSignInLink, context: CallContext
    ) -> StaffCard:
        """Sign in by a link, which ends it, whoever else tries at the same moment.

        The same command, repeated within a minute, is answered again.

        Raises:
            SignInLinkUsed: it was used, was replaced, is over, or never existed.
        """
        staff_id, link_hash = opened(request.secret)
        if not self._registry.roles(staff_id):
            raise SignInLinkUsed
        shown = False

        def decide(person: Staff, at: datetime) -> list[Event]:
            nonlocal shown
            facts = staff.use_link(person, link_hash, at)
            shown = True
            return facts

        self._registry.act(staff_id, _as_oneself(context, staff_id), decide)
        if not shown:  # the command ran before: was it with this very link?
            person = self._registry.person(staff_id)
            staff.repeat_link(person.state, link_hash, person.at, self._clock.now())
        return self._registry.card(staff_id)

    def set_password(self, request: SetPassword, context: CallContext) -> Done:
        """Choose one's own password.

        Raises:
            NotAllowed: it is somebody else's.
            StaffUnknown: nobody was invited under this id.
            PasswordTooWeak: too short, too long or easy to foresee.
        """
        _refuse_others(request.staff_id, context)
        person = staff.known(self._registry.person(request.staff_id).state)
        try:
            refuse_weak(request.password, (person.formal_name, person.email))
        except PasswordRefused as refused:
            raise PasswordTooWeak(str(refused)) from refused
        encoded = self._hasher.hash(request.password)
        return self._registry.act(
            request.staff_id, context, lambda s, _: staff.set_password(s, encoded)
        )

    def sign_in(self, request: SignIn, context: CallContext) -> StaffCard:
        """Sign in by address and password.

        An address that nobody has costs the same reads and the same hashing, and gets
        the same answer, as a wrong password.

        Raises:
            SignInRefused: they do not match, or the person holds no role any more.
        """
        staff_id = self._registry.holder(request.email)
        encoded = self._registry.person(staff_id).state.password_hash
        roles = self._registry.roles(staff_id)
        if not self._hasher.verify(encoded, request.password) or not roles:
            raise SignInRefused
        self._registry.act(
            staff_id,
            _as_oneself(context, staff_id),
            lambda s, _: staff.sign_in(s, encoded),
        )
        return self._registry.card(staff_id)

    def sign_out(self, request: SignOut, context: CallContext) -> Done:
        """Record one's own signing out.

        Raises:
            NotAllowed: it is somebody else's.
            StaffUnknown: nobody was invited under this id.
        """
        _refuse_others(request.staff_id, context)
        return self._registry.act(
            request.staff_id, context, lambda s, _: staff.sign_out(s)
        )

    def staff(self, request: GetStaff, context: CallContext) -> StaffCard:
        """Return one member of staff, roles as of now. Raises StaffUnknown."""
        del context
        return self._registry.card(request.staff_id)

    def all_staff(
        self, request: ListStaff, context: CallContext
    ) -> tuple[StaffCard, ...]:
        """Return everybody ever invited, roles as of now, by last name."""
        del context
        cards = map(self._registry.card, self._directory.ids(request.after))
        return tuple(sorted(cards, key=_by_last_name))


def _as_oneself(context: CallContext, staff_id: str) -> CallContext:
    """Return the context of a person who has just proven who they are."""
    return replace(context, actor_id=staff_id, actor_kind="staff", role="staff")


def _refuse_others(staff_id: str, context: CallContext) -> None:
    if context.actor_kind != "staff" or context.actor_id != staff_id:
        raise NotAllowed


def _by_last_name(card: StaffCard) -> tuple[str, str, str]:
    name = card.formal_name.casefold()
    return name.rpartition(" ")[2], name, card.staff_id
