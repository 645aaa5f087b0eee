"""Facts about members of staff. Append-only file: add a version, never edit one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.events import Event, Private, fact


@fact(confidential=("formal_name", "email"))
@dataclass(frozen=True, slots=True, kw_only=True)
class StaffInvited(Event):
    """A named person became a member of staff."""

    staff_id: str
    formal_name: Private
    email: Private


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGranted(Event):
    """The person may act in this role from now on."""

    staff_id: str
    granted: str  # sender, author, executive, compliance or admin


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRevoked(Event):
    """The person may not act in this role any more."""

    staff_id: str
    revoked: str


@fact(confidential=("password_hash",))
@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordSet(Event):
    """The person chose a password; all their other sessions end."""

    staff_id: str
    password_hash: Private  # argon2id, encoded


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class SignInLinkMade(Event):
    """A one-time sign-in link was made."""

    staff_id: str
    link_hash: str  # SHA-256 of the link's secret
    expires_at: datetime


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSignedIn(Event):
    """The person signed in."""

    staff_id: str
    means: str  # password or link
    link_hash: str | None = None


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSignedOut(Event):
    """The person signed out."""

    staff_id: str


@fact()
@dataclass(frozen=True, slots=True, kw_only=True)
class StaffAddressClaimed(Event):
    """An e-mail address was set aside for one person; nobody else can have it.

    The stream's name holds the address as a keyed hash.
    """

    staff_id: str
