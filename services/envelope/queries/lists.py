"""The message lists. What state a message is in is worked out when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Row, and_, func, or_, select

from services.envelope.api import MessageList, MessageRow, MessageView
from services.envelope.commands import GetAttention, GetMessage, GetMessages
from services.envelope.errors import EnvelopeUnknown
from services.envelope.model.words import reference_of
from services.envelope.tables import MESSAGES, MESSAGES_NAME
from shared.clock import Clock, from_micros, micros
from shared.crypto.keyring import Keyring
from shared.crypto.seal import place_of_row
from shared.readmodel import ReadModel

MOST: Final = 200  # rows of a page
PAGES: Final = 10
SOON: Final = timedelta(hours=24)
_NOTHING: Final = {"title": "", "record": "", "formal_name": "", "sender_name": ""}


class MessageLists:
    """As the `Lists` port."""

    def __init__(self, readmodel: ReadModel, keyring: Keyring, clock: Clock) -> None:
        """Read from `readmodel` and open what is sealed there with `keyring`."""
        self._readmodel = readmodel
        self._keyring = keyring
        self._clock = clock

    def messages(self, request: GetMessages) -> MessageList:
        """As `Lists.messages`."""
        where = MESSAGES.c.contact_id == request.contact_id
        if request.before > 0:
            where = and_(where, MESSAGES.c.position < request.before)
        return self._page(where, request.limit, request.after)

    def message(self, request: GetMessage) -> MessageView:
        """As `Lists.message`."""
        fresh = self._fresh(request.after)
        query = select(MESSAGES).where(MESSAGES.c.envelope_id == request.envelope_id)
        with self._readmodel.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise EnvelopeUnknown
        now = self._clock.now()
        undoable = not (row.consigned or row.cancelled)
        return MessageView(
            row=self._shown(row, now),
            letter_class=row.letter_class,
            purpose=row.purpose,
            check=row.means,
            release_at=from_micros(row.release_at),
            can_cancel=undoable and micros(now) < row.release_at,
            failure=row.failure,
            wrong_answers=row.wrong_answers,
            letter_hash=row.letter_hash,
            rendition=row.rendition,
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
        now = self._clock.now()
        undelivered = MESSAGES.c.failure.is_not(None)
        lapsing = and_(
            MESSAGES.c.viewed_at.is_(None),
            MESSAGES.c.relayed_at.is_not(None),
            MESSAGES.c.expires_at > micros(now),
            MESSAGES.c.expires_at <= micros(now + SOON),
        )
        alive = and_(
            MESSAGES.c.erased.is_(False),
            MESSAGES.c.disabled.is_(False),
            MESSAGES.c.cancelled.is_(False),
        )
        where = and_(or_(undelivered, lapsing), alive)
        return self._page(where, request.limit, request.after)

    def sent_since(
        self, contact_id: str, page: str, record: str, since: datetime
    ) -> bool:
        """As `Lists.sent_since`."""
        query = select(MESSAGES).where(
            MESSAGES.c.contact_id == contact_id,
            MESSAGES.c.page == page,
            MESSAGES.c.accepted_at > micros(since),
            MESSAGES.c.cancelled.is_(False),
        )
        with self._readmodel.connect() as connection:
            rows = connection.execute(query).all()
        return any(self._personal(row)["record"] == record for row in rows)

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

    def _page(self, where: ColumnElement[bool], limit: int, after: int) -> MessageList:
        fresh = self._fresh(after)
        limit = min(max(limit, 1), MOST)
        query = (
            select(MESSAGES)
            .where(where)
            .order_by(MESSAGES.c.position.desc())
            .limit(limit + 1)
        )
        with self._readmodel.connect() as connection:
            rows = connection.execute(query).all()
        now = self._clock.now()
        return MessageList(
            rows=tuple(self._shown(row, now) for row in rows[:limit]),
            more=len(rows) > limit,
            fresh=fresh,
        )

    def _shown(self, row: Row[Any], now: datetime) -> MessageRow:
        personal = self._personal(row)
        return MessageRow(
            envelope_id=row.envelope_id,
            contact_id=row.contact_id,
            kind=row.kind,
            page=row.page,
            revision=row.revision,
            sender_id=row.sender_id,
            reference=reference_of(row.envelope_id),
            status=_status(row, micros(now)),
            accepted_at=from_micros(row.accepted_at),
            relayed_at=_time(row.relayed_at),
            fetched_at=_time(row.fetched_at),
            viewed_at=_time(row.viewed_at),
            viewed_grade=row.viewed_grade,
            viewed_means=row.viewed_means,
            expires_at=from_micros(row.expires_at),
            position=row.position,
            **personal,
        )

    def _personal(self, row: Row[Any]) -> dict[str, str]:
        if row.personal is None:
            return _NOTHING
        place = place_of_row(MESSAGES.name, row.envelope_id, "personal")
        plain = self._keyring.unseal_value(row.contact_id, place, row.personal)
        if plain is None:
            return _NOTHING
        return msgspec.json.decode(plain, type=dict[str, str])


def _time(value: int | None) -> datetime | None:
    return None if value is None else from_micros(value)


def _status(row: Row[Any], now: int) -> str:
    """Return the one word for a message: what ended it, else how far it came."""
    viewed = row.viewed_at is not None
    renewed = row.generation > 1 and row.fetched_generation < row.generation
    chain = (
        (row.erased, "erased"),
        (row.cancelled, "cancelled"),
        (row.disabled, "disabled"),
        (row.failure is not None and not viewed, "not_delivered"),
        (now >= row.expires_at, "expired" if viewed else "lapsed_unread"),
        (renewed, "renewed"),
        (viewed, "viewed"),
        (row.fetched_at is not None, "link_opened"),
        (row.relayed_at is not None, "sent"),
    )
    return next((word for holds, word in chain if holds), "accepted")
