"""The rules of one-time codes: ten minutes, one browser, one use, five tries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services.crm.commands import CheckCode, IssueCode
from services.crm.errors import CodeLocked
from services.crm.events import CodeAccepted, CodeIssued, CodeRejected
from shared.events import Event

LIFE: Final = timedelta(minutes=10)
TRIES: Final = 5
AT_ONCE: Final = 3  # codes a contact may be sent within `LIFE`


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One code: for which browser and envelope, until when, and what became of it."""

    code_id: str
    envelope_id: str
    browser: str
    expires_at: datetime
    wrong: int = 0
    spent: bool = False  # used, or replaced by a newer one

    def is_live(self, at: datetime) -> bool:
        """Say whether it would still be accepted at `at`."""
        return not self.spent and self.wrong < TRIES and at < self.expires_at


Codes = tuple[Code, ...]
"""The codes of a contact that are not older than ten minutes, oldest first."""


def issue(codes: Codes, request: IssueCode, code_id: str, at: datetime) -> list[Event]:
    """Make a code; it replaces an older one of the same browser for the envelope.

    Raises:
        CodeLocked: three were made within the last ten minutes.
    """
    if sum(at < code.expires_at for code in codes) >= AT_ONCE:
        raise CodeLocked("Three codes were sent within ten minutes.")
    return [
        CodeIssued(
            contact_id=request.contact_id,
            envelope_id=request.envelope_id,
            code_id=code_id,
            browser=request.browser,
            expires_at=at + LIFE,
        )
    ]


def asked(codes: Codes, request: CheckCode, at: datetime) -> Code | None:
    """Return the live code that the answer is for, or None.

    Raises:
        CodeLocked: five wrong answers were given to it.
    """
    for code in reversed(codes):
        fits = (code.envelope_id, code.browser) == (
            request.envelope_id,
            request.browser,
        )
        if fits and not code.spent and at < code.expires_at:
            if code.wrong >= TRIES:
                raise CodeLocked
            return code
    return None


def answer(code: Code, request: CheckCode, *, right: bool) -> list[Event]:
    """Record what the answer to a live code was."""
    fact = CodeAccepted if right else CodeRejected
    return [
        fact(
            contact_id=request.contact_id,
            envelope_id=request.envelope_id,
            code_id=code.code_id,
        )
    ]


def evolve_codes(codes: Codes, event: Event) -> Codes:
    """Apply one fact; codes past their ten minutes drop out when a new one is made."""
    match event:
        case CodeIssued():
            issued_at = event.expires_at - LIFE
            made = Code(
                code_id=event.code_id,
                envelope_id=event.envelope_id,
                browser=event.browser,
                expires_at=event.expires_at,
            )
            kept = (code for code in codes if issued_at < code.expires_at)
            return (*(_replaced(code, made) for code in kept), made)
        case CodeAccepted(code_id=code_id):
            return tuple(
                replace(code, spent=True) if code.code_id == code_id else code
                for code in codes
            )
        case CodeRejected(code_id=code_id):
            return tuple(
                replace(code, wrong=code.wrong + 1) if code.code_id == code_id else code
                for code in codes
            )
        case _:
            return codes


def _replaced(old: Code, new: Code) -> Code:
    alike = (old.envelope_id, old.browser) == (new.envelope_id, new.browser)
    return replace(old, spent=True) if alike else old
