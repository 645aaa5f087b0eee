"""What may be asked about members of staff."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteStaff:
    """Make a member of staff, with the roles to begin with."""

    formal_name: str
    email: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRole:
    """Grant or revoke one role."""

    staff_id: str
    role: str
    granted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeSignInLink:
    """Make a one-time sign-in link; the answer's `ref` is its secret, told once."""

    staff_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UseSignInLink:
    """Sign in by a one-time link."""

    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPassword:
    """Choose one's own password."""

    staff_id: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Sign in by e-mail address and password."""

    email: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOut:
    """Record that somebody signed out."""

    staff_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStaff:
    """Ask for one member of staff."""

    staff_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListStaff:
    """Ask for all members of staff, by name."""

    after: int = 0
