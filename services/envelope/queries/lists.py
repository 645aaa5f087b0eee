"""The message lists. What state a message is in is worked out when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, func, or_, select

from services.envelope.api import MessageList, MessageView
from services.envelope.commands import GetAttention, GetMessage, GetMessages
from services.envelope.errors import EnvelopeUnknown
from services.envelope.queries.rows import PAGE, SHOWN, Opening
from services.envelope.tables import MESSAGES, MESSAGES_NAME
from shared.clock import Clock, from_micros, micros
from shared.crypto.keyring import Keyring
from shared.readmodel import ReadModel

MOST: Final = 200  # rows of a page
PAGES: Final = 10
SOON: Final = timedelta(hours=24)
_NEWEST: Final = 2**63 - 1  # a position after all others

_OF_CONTACT: Final = PAGE.where(
    MESSAGES.c.contact_id == bindparam("contact"),
    MESSAGES.c.position < bindparam("before"),
)
_LAPSING: Final = and_(
    MESSAGES.c.viewed_at.is_(None),
    or_(MESSAGES.c.relayed_at.is_not(None), MESSAGES.c.fetched_at.is_not(None)),
    MESSAGES.c.expires_at > bindparam("now"),
    MESSAGES.c.expires_at <= bindparam("soon"),
)
_ATTENTION: Final = PAGE.where(
    or_(MESSAGES.c.failure.is_not(None), _LAPSING),
    MESSAGES.c.erased.is_(False),
    MESSAGES.c.disabled.is_(False),
    MESSAGES.c.cancelled.is_(False),
)
_ONE: Final = select(
    *SHOWN,
    MESSAGES.c.letter_class,
    MESSAGES.c.purpose,
    MESSAGES.c.means,
    MESSAGES.c.release_at,
    MESSAGES.c.consigned,
    MESSAGES.c.cancelled,
    MESSAGES.c.failure,
    MESSAGES.c.wrong_answers,
    MESSAGES.c.letter_hash,
    MESSAGES.c.rendition,
).where(MESSAGES.c.envelope_id == bindparam("envelope"))


class MessageLists:
    """As the `Lists` port."""

    def __init__(self, readmodel: ReadModel, keyring: Keyring, clock: Clock) -> None:
        """Read from `readmodel` and open what is sealed there with `keyring`."""
        self._readmodel = readmodel
        self._opening = Opening(keyring)
        self._clock = clock

    def messages(self, request: GetMessages) -> MessageList:
        """As `Lists.messages`."""
        return self._page(
            _OF_CONTACT,
            request.limit,
            request.after,
            contact=request.contact_id,
            before=request.before if request.before > 0 else _NEWEST,
        )

    def message(self, request: GetMessage) -> MessageView:
        """As `Lists.message`."""
        fresh = self._fresh(request.after)
        now = micros(self._clock.now())
        found = self._readmodel.fetch(_ONE, envelope=request.envelope_id, now=now)
        if not found:
            raise EnvelopeUnknown
        shown, more = found[0][: len(SHOWN)], found[0][len(SHOWN) :]
        letter_class, purpose, means, release_at, consigned, cancelled, *rest = more
        failure, wrong_answers, letter_hash, rendition = rest
        return MessageView(
            row=self._opening.lines([shown])[0],
            letter_class=letter_class,
            purpose=purpose,
            check=means,
            release_at=from_micros(release_at),
            can_cancel=not (consigned or cancelled) and now < release_at,
            failure=failure,
            wrong_answers=wrong_answers,
            letter_hash=letter_hash,
            rendition=rendition,
            fresh=fresh,
        )

    def recent_pages(self, actor_id: str, after: int) -> tuple[str, ...]:
        """As `Lists.recent_pages`."""
        self._fresh(after)
        newest = func.max(MESSAGES.c.position)
        query = (
            select(MESSAGES.c.page)
            .where(MESSAGES.c.sender_id == actor_id)
            .group_by(MESSAGES.c.page)
            .order_by(newest.desc())
            .limit(PAGES)
        )
        with self._readmodel.connect() as connection:
            return tuple(connection.scalars(query))

    def attention(self, request: GetAttention) -> MessageList:
        """As `Lists.attention`: not delivered, or ending unread within a day."""
        soon = micros(self._clock.now() + SOON)
        return self._page(_ATTENTION, request.limit, request.after, soon=soon)

    def sent_since(
        self, contact_id: str, page: str, record: str, since: datetime
    ) -> bool:
        """As `Lists.sent_since`."""
        sealed = (MESSAGES.c.envelope_id, MESSAGES.c.contact_id, MESSAGES.c.personal)
        query = select(*sealed).where(
            MESSAGES.c.contact_id == contact_id,
            MESSAGES.c.page == page,
            MESSAGES.c.accepted_at > micros(since),
            MESSAGES.c.cancelled.is_(False),
        )
        with self._readmodel.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        opened = self._opening.personal(rows)
        return any(personal.record == record for personal in opened)

    def expired(self, now: datetime, limit: int) -> Sequence[str]:
        """As `Lists.expired`."""
        query = (
            select(MESSAGES.c.envelope_id)
            .where(
                MESSAGES.c.expires_at <= micros(now),
                MESSAGES.c.expiry_noted.is_(False),
                MESSAGES.c.disabled.is_(False),
                MESSAGES.c.cancelled.is_(False),
            )
            .order_by(MESSAGES.c.expires_at)
            .limit(limit)
        )
        with self._readmodel.connect() as connection:
            return connection.scalars(query).all()

    def blobs_of(self, contact_id: str, position: int) -> Sequence[str] | None:
        """As `Lists.blobs_of`; waits up to 2 s."""
        if not self._fresh(position):
            return None
        query = select(MESSAGES.c.blob).where(MESSAGES.c.contact_id == contact_id)
        with self._readmodel.connect() as connection:
            return connection.scalars(query).all()

    def _fresh(self, after: int) -> bool:
        return self._readmodel.await_position(after, MESSAGES_NAME)

    def _page(
        self, query: Select[Any], limit: int, after: int, **values: int | str
    ) -> MessageList:
        fresh = self._fresh(after)
        limit = min(max(limit, 1), MOST)
        now = micros(self._clock.now())
        rows = self._readmodel.fetch(query, now=now, limit=limit + 1, **values)
        return MessageList(
            rows=self._opening.lines(rows[:limit]),
            more=len(rows) > limit,
            fresh=fresh,
        )
