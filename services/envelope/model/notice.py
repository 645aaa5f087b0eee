"""Rules of notices: content-free mails of a closed list. So far: one-time codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services.envelope.events import NoticeAttempted, NoticeEnded, NoticeQueued
from services.envelope.model.relay import RaceLost
from shared.clock import EPOCH
from shared.events import Event, Recorded

CODE_LIFE: Final = timedelta(minutes=10)
_FIRST_WAIT: Final = timedelta(seconds=45)
_LONGEST_WAIT: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice. `notice_id` is empty until it was queued."""

    notice_id: str = ""
    contact_id: str = ""
    envelope_id: str = ""
    kind: str = ""
    subject_ref: str = ""
    expires_at: datetime = EPOCH
    attempts: int = 0
    next_at: datetime = EPOCH
    over: bool = False


def evolve_notice(notice: Notice, record: Recorded) -> Notice:
    """Apply one fact. Total."""
    match record.event:
        case NoticeQueued() as queued:
            return Notice(
                notice_id=queued.notice_id,
                contact_id=queued.contact_id,
                envelope_id=queued.envelope_id,
                kind=queued.kind,
                subject_ref=queued.subject_ref,
                expires_at=queued.expires_at,
            )
        case NoticeAttempted(attempt=attempt):
            next_at = record.recorded_at + notice_wait(attempt)
            return replace(notice, attempts=attempt, next_at=next_at)
        case NoticeEnded():
            return replace(notice, over=True)
        case _:
            return notice


def notice_wait(attempt: int) -> timedelta:
    """Return how long after `attempt`, from 1, the next one may begin."""
    return min(_FIRST_WAIT * (1 << min(attempt - 1, 6)), _LONGEST_WAIT)


def decide_notice_attempt(notice: Notice, at: datetime, *, attempt: int) -> list[Event]:
    """Record the intent to send the notice.

    Raises:
        RaceLost: somebody else began it, or it is over.
    """
    if notice.over or notice.attempts + 1 != attempt or at < notice.next_at:
        raise RaceLost
    return [
        NoticeAttempted(
            notice_id=notice.notice_id,
            contact_id=notice.contact_id,
            envelope_id=notice.envelope_id,
            attempt=attempt,
        )
    ]


def decide_notice_end(notice: Notice, outcome: str) -> list[Event]:
    """Record how the notice ended: relayed, failed or expired; once."""
    if notice.over or not notice.notice_id:
        return []
    return [
        NoticeEnded(
            notice_id=notice.notice_id,
            contact_id=notice.contact_id,
            envelope_id=notice.envelope_id,
            outcome=outcome,
        )
    ]
