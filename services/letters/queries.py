"""The readers of the lists of pages and records."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Row, and_, or_, select

from services.letters.api import PageList, PageRow
from services.letters.commands import SearchPages, SearchRecords
from services.letters.errors import PageUnknown
from services.letters.model.text import words_of
from services.letters.ports import PagePlace, RecordPlaces, RevisionPlace
from services.letters.tables import (
    PAGES,
    PAGES_NAME,
    RECORDS,
    RECORDS_NAME,
    REVISIONS,
    WORDS,
)
from shared.clock import from_micros
from shared.readmodel import ReadModel

LONGEST: Final = 200  # rows of one answer
MOST_WORDS: Final = 8  # of a search; more do not narrow it


class LettersIndex:
    """Answers from the lists as far as they have been written."""

    def __init__(self, readmodel: ReadModel) -> None:
        """Read from `readmodel`."""
        self._readmodel = readmodel

    def pages(self, request: SearchPages) -> PageList:
        """Return the pages whose number or title begins with every word asked for.

        Those changed last first. Status `approved` means in force, whatever is being
        drafted; the others are of the newest revision.
        """
        fresh = self._readmodel.await_position(request.after, PAGES_NAME)
        limit = min(max(request.limit, 1), LONGEST)
        query = select(PAGES).order_by(PAGES.c.position.desc()).limit(limit + 1)
        for word in words_of(request.query[:LONGEST])[:MOST_WORDS]:
            named = select(WORDS.c.page).where(
                WORDS.c.word.startswith(word, autoescape=True)
            )
            numbered = PAGES.c.page.startswith(word, autoescape=True)
            query = query.where(or_(numbered, PAGES.c.page.in_(named)))
        if request.status == "approved":
            in_force = PAGES.c.approved_revision.is_not(None)
            query = query.where(and_(in_force, PAGES.c.status != "withdrawn"))
        elif request.status:
            query = query.where(PAGES.c.status == request.status)
        if request.page_type:
            query = query.where(PAGES.c.page_type == request.page_type)
        with self._readmodel.connect() as connection:
            rows = tuple(_page(row) for row in connection.execute(query))
        return PageList(rows=rows[:limit], more=len(rows) > limit, fresh=fresh)

    def page(self, number: str, after: int) -> PagePlace:
        """Return one page. Waits up to 2 s for `after`.

        Raises:
            PageUnknown: there is no such page, as far as is known.
        """
        fresh = self._readmodel.await_position(after, PAGES_NAME)
        revisions = (
            select(REVISIONS)
            .where(REVISIONS.c.page == number)
            .order_by(REVISIONS.c.revision.desc())
        )
        with self._readmodel.connect() as connection:
            row = connection.execute(
                select(PAGES).where(PAGES.c.page == number)
            ).first()
            if row is None:
                raise PageUnknown
            return PagePlace(
                row=_page(row),
                fact_required=row.fact_required,
                withdrawn_at=row.withdrawn_at,
                revisions=tuple(_place(r) for r in connection.execute(revisions)),
                fresh=fresh,
            )

    def records(self, request: SearchRecords) -> RecordPlaces:
        """Return where the newest states of the records lie, latest first."""
        fresh = self._readmodel.await_position(request.after, RECORDS_NAME)
        limit = min(max(request.limit, 1), LONGEST)
        query = (
            select(RECORDS.c.position).order_by(RECORDS.c.position.desc()).limit(limit)
        )
        if request.contact_id is not None:
            owners = (RECORDS.c.author_id, RECORDS.c.subject_id, RECORDS.c.assignee_id)
            query = query.where(or_(*(who == request.contact_id for who in owners)))
        if request.page is not None:
            query = query.where(RECORDS.c.page == request.page)
        with self._readmodel.connect() as connection:
            return RecordPlaces(positions=tuple(connection.scalars(query)), fresh=fresh)


def _page(row: Row[Any]) -> PageRow:
    return PageRow(
        page=row.page,
        page_type=row.page_type,
        title=row.title,
        kind=row.kind,
        status=row.status,
        revision=row.revision,
        approved_revision=row.approved_revision,
        letter_class=row.letter_class,
        purpose=row.purpose,
        answers=row.answers,
        changed_at=from_micros(row.changed_at),
        author_id=row.author_id,
    )


def _place(row: Row[Any]) -> RevisionPlace:
    decided = row.decided_at
    return RevisionPlace(
        revision=row.revision,
        position=row.position,
        drafted_at=from_micros(row.drafted_at),
        status=row.status,
        decided_by=row.decided_by,
        decided_at=from_micros(decided) if decided is not None else None,
        comment_at=row.comment_at,
    )
