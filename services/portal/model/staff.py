"""One member of staff: invited once, signed in by password or by one-time link."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services.portal.errors import (
    SignInLinkUsed,
    SignInRefused,
    StaffInvalid,
    StaffUnknown,
)
from services.portal.events import (
    PasswordSet,
    SignInLinkMade,
    StaffInvited,
    StaffSignedIn,
    StaffSignedOut,
)
from shared.events import Event, Private

LINK_LIFE: Final = timedelta(hours=24)
GRACE: Final = timedelta(minutes=1)
"""How long a request that used up a link may be repeated: a double press, a retry."""


@dataclass(frozen=True, slots=True)
class Staff:
    """What the rules remember of one person. The id is "" until the invitation."""

    staff_id: str = ""
    formal_name: str = ""
    email: str = ""
    password_hash: str | None = None
    link_hash: str | None = None  # of the one link that works, if there is one
    link_until: datetime | None = None
    just_used: str | None = None  # hash of the link, if its use is the latest fact


def invite(staff: Staff, staff_id: str, formal_name: str, email: str) -> list[Event]:
    """Make a member of staff of a person.

    Raises:
        StaffInvalid: the address, and with it the id, has its person already.
    """
    if staff.staff_id:
        raise StaffInvalid("This address belongs to a member of staff already.")
    return [StaffInvited(staff_id=staff_id, formal_name=formal_name, email=email)]


def make_link(staff: Staff, link_hash: str, at: datetime) -> list[Event]:
    """Make a link that works once until `LINK_LIFE` from `at`; older ones end.

    Raises:
        StaffUnknown: nobody was invited under this id.
    """
    made = SignInLinkMade(
        staff_id=known(staff).staff_id, link_hash=link_hash, expires_at=at + LINK_LIFE
    )
    return [made]


def use_link(staff: Staff, link_hash: str, at: datetime) -> list[Event]:
    """Sign in by the link, which ends it.

    Raises:
        SignInLinkUsed: another link, or none, works at `at`.
    """
    works = staff.link_until is not None and at < staff.link_until
    if not works or staff.link_hash != link_hash:
        raise SignInLinkUsed
    return [StaffSignedIn(staff_id=staff.staff_id, means="link", link_hash=link_hash)]


def repeat_link(staff: Staff, link_hash: str, used_at: datetime, at: datetime) -> None:
    """Let the very request that used the link up be answered again, for a moment.

    `used_at` is the time of the person's latest fact.

    Raises:
        SignInLinkUsed: another link was used, something happened since, or it is later
            than `GRACE`.
    """
    if staff.just_used != link_hash or not used_at <= at < used_at + GRACE:
        raise SignInLinkUsed


def sign_in(staff: Staff, verified: str | None) -> list[Event]:
    """Sign in by the password whose stored hash `verified` was found to match.

    Raises:
        SignInRefused: there is no such person, or the password was changed meanwhile.
    """
    if verified is None or staff.password_hash != verified:
        raise SignInRefused
    return [StaffSignedIn(staff_id=staff.staff_id, means="password")]


def set_password(staff: Staff, password_hash: str) -> list[Event]:
    """Choose a password. Raises StaffUnknown."""
    staff_id = known(staff).staff_id
    return [PasswordSet(staff_id=staff_id, password_hash=password_hash)]


def sign_out(staff: Staff) -> list[Event]:
    """Record the signing out. Raises StaffUnknown."""
    return [StaffSignedOut(staff_id=known(staff).staff_id)]


def known(staff: Staff) -> Staff:
    """Return the person. Raises StaffUnknown if nobody was invited under this id."""
    if not staff.staff_id:
        raise StaffUnknown
    return staff


def evolve(staff: Staff, event: Event) -> Staff:
    """Apply one fact. Total: a fact this version does not know changes nothing."""
    staff = replace(staff, just_used=None)
    match event:
        case StaffInvited(staff_id=staff_id, formal_name=name, email=email):
            return replace(
                staff, staff_id=staff_id, formal_name=_open(name), email=_open(email)
            )
        case PasswordSet(password_hash=encoded):
            return replace(staff, password_hash=_open(encoded) or None)
        case SignInLinkMade(link_hash=link_hash, expires_at=until):
            return replace(staff, link_hash=link_hash, link_until=until)
        case StaffSignedIn(link_hash=str(used)):
            return replace(staff, link_hash=None, link_until=None, just_used=used)
        case _:
            return staff


def _open(value: Private) -> str:
    """Return the text, "" for a reader without the key: such a one proves nothing."""
    return value if isinstance(value, str) else ""
