"""What may have to be mailed, and from when on. Ids and times only."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, insert, update

from services.envelope.events import (
    EnvelopeCancelled,
    EnvelopeRelayed,
    EnvelopeSent,
    LinkRenewed,
    NoticeAttempted,
    NoticeEnded,
    NoticeQueued,
    RelayAttempted,
    RelayDeferred,
    RelayFailed,
    RelayUnconfirmed,
)
from services.envelope.model.notice import notice_wait
from services.envelope.tables import OUTBOX, OUTBOX_NAME
from shared.clock import micros
from shared.events import Recorded
from shared.readmodel import Connection

NOTICE: Final = 0  # in place of a link's generation


class OutboxProjection:
    """Keeps one row for each envelope and notice that the postman may have to do.

    A row that is still there by mistake costs a look into the stream; a row that is
    missing would lose a mail. So a fact about a link that is dead already leaves the
    row alone.
    """

    name = OUTBOX_NAME
    tables = (OUTBOX,)

    def apply(self, connection: Connection, record: Recorded) -> None:
        """Fold one fact in."""
        at = record.recorded_at
        match record.event:
            case EnvelopeSent(envelope_id=item, release_at=due):
                _set_due(connection, record, item, 1, due)
            case LinkRenewed(envelope_id=item, generation=link):
                _set_due(connection, record, item, link, at)
            case RelayAttempted(envelope_id=item, generation=link):
                _move(connection, item, link, at)
            case RelayDeferred(envelope_id=item, generation=link, next_at=due):
                _move(connection, item, link, due)
            case EnvelopeCancelled(envelope_id=item):
                _drop(connection, item, 1)
            case (
                EnvelopeRelayed(envelope_id=item, generation=link)
                | RelayFailed(envelope_id=item, generation=link)
                | RelayUnconfirmed(envelope_id=item, generation=link)
            ):
                _drop(connection, item, link)
            case NoticeQueued(notice_id=item):
                _set_due(connection, record, item, NOTICE, at)
            case NoticeAttempted(notice_id=item, attempt=attempt):
                _move(connection, item, NOTICE, at + notice_wait(attempt))
            case NoticeEnded(notice_id=item):
                _drop(connection, item, NOTICE)
            case _:
                pass


def _set_due(
    connection: Connection, record: Recorded, item: str, link: int, due: datetime
) -> None:
    values = {
        "kind": "envelope" if link else "notice",
        "generation": link,
        "due_at": micros(due),
        "position": record.position,
    }
    where = OUTBOX.c.item_id == item
    if not connection.execute(update(OUTBOX).where(where), values).rowcount:
        connection.execute(insert(OUTBOX), {"item_id": item, **values})


def _move(connection: Connection, item: str, link: int, due: datetime) -> None:
    connection.execute(update(OUTBOX).where(_row(item, link)), {"due_at": micros(due)})


def _drop(connection: Connection, item: str, link: int) -> None:
    connection.execute(delete(OUTBOX).where(_row(item, link)))


def _row(item: str, link: int) -> ColumnElement[bool]:
    return and_(OUTBOX.c.item_id == item, OUTBOX.c.generation == link)
