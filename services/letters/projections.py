"""The writers of the lists of pages and records."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select, update

from services.crm.events import ContactForgotten
from services.letters.events import (
    LetterApproved,
    LetterDrafted,
    LetterReturned,
    LetterSubmitted,
    LetterWithdrawn,
    RecordSaved,
)
from services.letters.model.text import words_of
from services.letters.tables import (
    PAGES,
    PAGES_NAME,
    RECORDS,
    RECORDS_NAME,
    REVISIONS,
    WORDS,
)
from shared.clock import micros
from shared.events import Recorded
from shared.readmodel import Connection, Table
from shared.refusals import ContactKeysDestroyed


class PagesProjection:
    """Keeps the list of pages, and what became of their revisions."""

    name = PAGES_NAME
    tables: tuple[Table, ...] = (PAGES, REVISIONS, WORDS)

    def apply(self, connection: Connection, record: Recorded) -> None:
        """Fold one fact in; ignore what is not about a page's text or approval."""
        event = record.event
        match event:
            case LetterDrafted():
                _drafted(connection, record, event)
            case LetterSubmitted():
                _decided(connection, event.page, event.revision, status="submitted")
                _touch(connection, record, event.page, status="submitted")
            case LetterApproved():
                _approved(connection, record, event)
            case LetterReturned():
                _decided(
                    connection,
                    event.page,
                    event.revision,
                    status="returned",
                    comment_at=record.position,
                    **_by(record),
                )
                _touch(connection, record, event.page, status="draft")
            case LetterWithdrawn():
                _touch(
                    connection,
                    record,
                    event.page,
                    status="withdrawn",
                    withdrawn_at=record.position,
                )
            case _:
                pass


class RecordsProjection:
    """Keeps the list of records; those of a forgotten author leave it."""

    name = RECORDS_NAME
    tables: tuple[Table, ...] = (RECORDS,)

    def apply(self, connection: Connection, record: Recorded) -> None:
        """Fold one fact in; ignore what is not about records or erasure."""
        match record.event:
            case RecordSaved() as event:
                connection.execute(
                    delete(RECORDS).where(RECORDS.c.record == event.record)
                )
                row = {
                    "record": event.record,
                    "page": event.page,
                    "author_id": event.contact_id,
                    "subject_id": event.subject_id,
                    "assignee_id": event.assignee_id,
                    "position": record.position,
                }
                connection.execute(insert(RECORDS), row)
            case ContactForgotten(contact_id=contact_id):
                _forget(connection, contact_id)
            case ContactKeysDestroyed(contact_id=contact_id, service="letters"):
                _forget(connection, contact_id)
            case _:
                pass


def _forget(connection: Connection, contact_id: str) -> None:
    connection.execute(delete(RECORDS).where(RECORDS.c.author_id == contact_id))


def _drafted(connection: Connection, record: Recorded, event: LetterDrafted) -> None:
    page = event.page
    before = connection.execute(select(PAGES).where(PAGES.c.page == page)).first()
    connection.execute(
        update(REVISIONS)
        .where(REVISIONS.c.page == page, REVISIONS.c.status.in_(("draft", "submitted")))
        .values(status="superseded")
    )
    row: dict[str, Any] = {
        "page": page,
        "revision": event.revision,
        "position": record.position,
        "title": event.title,
        "drafted_at": micros(record.meta.at),
        "status": "draft",
    }
    connection.execute(insert(REVISIONS), row)
    newest = {
        "revision": event.revision,
        "kind": event.kind,
        "answers": event.answers,
        "author_id": event.author_id,
        "status": "draft",
    }
    if before is None:
        connection.execute(
            insert(PAGES),
            {
                "page": page,
                "page_type": event.page_type,
                "title": event.title,
                "fact_required": False,
                "changed_at": micros(record.meta.at),
                "position": record.position,
                **newest,
            },
        )
    else:
        if before.approved_revision is None:
            newest["title"] = event.title
        _touch(connection, record, page, **newest)
    _index(connection, page)


def _approved(connection: Connection, record: Recorded, event: LetterApproved) -> None:
    page = event.page
    connection.execute(
        update(REVISIONS)
        .where(REVISIONS.c.page == page, REVISIONS.c.status == "approved")
        .values(status="superseded")
    )
    _decided(connection, page, event.revision, status="approved", **_by(record))
    title = select(REVISIONS.c.title).where(
        REVISIONS.c.page == page, REVISIONS.c.revision == event.revision
    )
    _touch(
        connection,
        record,
        page,
        status="approved",
        approved_revision=event.revision,
        letter_class=event.letter_class,
        purpose=event.purpose,
        fact_required=event.fact_required,
        title=connection.scalar(title),
    )
    _index(connection, page)


def _decided(connection: Connection, page: str, revision: int, **values: Any) -> None:
    where = (REVISIONS.c.page == page, REVISIONS.c.revision == revision)
    connection.execute(update(REVISIONS).where(*where).values(**values))


def _touch(connection: Connection, record: Recorded, page: str, **values: Any) -> None:
    values |= {"changed_at": micros(record.meta.at), "position": record.position}
    connection.execute(update(PAGES).where(PAGES.c.page == page).values(**values))


def _by(record: Recorded) -> dict[str, Any]:
    return {"decided_by": record.meta.actor, "decided_at": micros(record.meta.at)}


def _index(connection: Connection, page: str) -> None:
    """Make the page findable by the words of its title and of the newest one."""
    shown = select(PAGES.c.title).where(PAGES.c.page == page)
    newest = (
        select(REVISIONS.c.title)
        .where(REVISIONS.c.page == page)
        .order_by(REVISIONS.c.revision.desc())
        .limit(1)
    )
    titles = f"{connection.scalar(shown)} {connection.scalar(newest)}"
    connection.execute(delete(WORDS).where(WORDS.c.page == page))
    rows = [{"page": page, "word": word} for word in words_of(titles)]
    if rows:
        connection.execute(insert(WORDS), rows)
