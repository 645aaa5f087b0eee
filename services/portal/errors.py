"""Why the portal says no."""

from __future__ import annotations

from shared.errors import DomainError, Malformed, NotFound


class SignInRefused(DomainError):
    """The e-mail address and password do not match an account."""

    code = "sign_in_refused"
    http_status = 403
    hint = "Check both and try again, or ask an administrator for a sign-in link."


class SignInLinkUsed(DomainError):
    """The sign-in link was used, has expired, or never existed."""

    code = "sign_in_link_used"
    http_status = 410
    hint = "Ask an administrator for a new one."


class StaffUnknown(NotFound):
    """There is no such member of staff."""

    code = "staff_unknown"


class StaffInvalid(Malformed):
    """A detail of the member of staff is missing or not usable."""

    code = "staff_invalid"


class PasswordTooWeak(Malformed):
    """The password is too short or too easy to guess."""

    code = "password_too_weak"
    hint = "Use 12 characters or more; a few unusual words are good."


class RoleUnknown(Malformed):
    """There is no such role."""

    code = "role_unknown"


class LastAdmin(DomainError):
    """The only administrator there is must stay one."""

    code = "last_admin"
    hint = "Make somebody else an administrator first."
