"""What staff look at: lists from the index, texts and values from the store."""

from __future__ import annotations

from services.letters.api import (
    PageView,
    RecordList,
    RecordRow,
    RecordView,
    RevisionView,
)
from services.letters.commands import GetPage, GetRecord, SearchRecords
from services.letters.errors import RecordInvalid, RecordUnknown
from services.letters.events import (
    LetterDrafted,
    LetterReturned,
    LetterWithdrawn,
    RecordSaved,
)
from services.letters.handlers.pages import Pages, fact_at, fields_of, title_of
from services.letters.handlers.records import Records
from services.letters.model.page import Revision, revision_of
from services.letters.model.record import (
    Saved,
    lines_for,
    opened,
    refuse_stranger,
    summary,
)
from services.letters.model.values import QUOTATION
from services.letters.ports import Index, RevisionPlace
from shared.events import Recorded
from shared.eventstore.port import CorruptRecord, EventStore
from shared.markup import placeholders


class Views:
    """Puts together what was found with what the store holds sealed."""

    def __init__(
        self, store: EventStore, index: Index, pages: Pages, records: Records
    ) -> None:
        """Find by `index`; open what is found in `store`."""
        self._store = store
        self._index = index
        self._pages = pages
        self._records = records

    def page(self, request: GetPage) -> PageView:
        """Return one page with its revisions, newest first. Raises PageUnknown."""
        found = self._index.page(request.page, request.after)
        texts = [self._text(place) for place in found.revisions]
        return PageView(
            row=found.row,
            fact_required=found.fact_required,
            withdrawn_reason=self._comment(found.withdrawn_at),
            revisions=tuple(
                _revision(text, place, self._comment(place.comment_at))
                for text, place in zip(texts, found.revisions, strict=True)
            ),
            form=texts[0].form,
            placeholders=placeholders(texts[0].body),
            fresh=found.fresh,
        )

    def records(self, request: SearchRecords) -> RecordList:
        """Return the records of a contact or of a form; erased ones are left out.

        Raises:
            RecordInvalid: neither a contact nor a form was named.
        """
        if request.contact_id is None and request.page is None:
            message = "Name the contact or the form whose records you look for."
            raise RecordInvalid(message)
        found = self._index.records(request)
        rows = []
        for position in found.positions:
            fact = fact_at(self._store, position)
            try:
                rows.append(self._row(_opened(fact), fact))
            except RecordUnknown:
                continue  # erased, and the list does not know it yet
        return RecordList(rows=tuple(rows), fresh=found.fresh)

    def record(self, request: GetRecord) -> RecordView:
        """Return one record; as far as the contact may see it, if one is named.

        Read from its own stream, so it is always fresh.

        Raises:
            RecordUnknown: there is none, or it was erased with its author.
            RecordNotTheirs: the contact named is another person.
        """
        saved, fact = self._records.saved(request.record)
        quotes = True
        if request.contact_id is not None:
            refuse_stranger(saved, request.contact_id)
            quotes = saved.quotes_for(request.contact_id)
        form = self._pages.form(saved.page)
        fields = fields_of(form) if form else ()
        types = form.field_types if form else {}
        hidden = {n for n in saved.values if not quotes and types.get(n) == QUOTATION}
        return RecordView(
            row=self._row(saved, fact),
            revision=saved.revision,
            fields=lines_for(fields, saved, quotes=quotes),
            values={n: v for n, v in saved.values.items() if n not in hidden},
        )

    def _row(self, saved: Saved, fact: Recorded) -> RecordRow:
        form = self._pages.form(saved.page)
        title = title_of(form)
        return RecordRow(
            record=saved.key,
            page=saved.page,
            form_title=title,
            summary=summary(title, fields_of(form), saved) if form else "",
            author_id=saved.author_id,
            subject_id=saved.subject_id,
            assignee_id=saved.assignee_id,
            saved_at=fact.recorded_at,
        )

    def _comment(self, position: int | None) -> str | None:
        """Return what an executive wrote when a page came back or was withdrawn."""
        if position is None:
            return None
        event = fact_at(self._store, position).event
        if not isinstance(event, (LetterReturned, LetterWithdrawn)):
            message = f"position {position}: no decision on a page"
            raise CorruptRecord(message)
        return event.comment if isinstance(event.comment, str) else None

    def _text(self, place: RevisionPlace) -> Revision:
        event = fact_at(self._store, place.position).event
        if not isinstance(event, LetterDrafted):
            message = f"position {place.position}: no revision of a page"
            raise CorruptRecord(message)
        return revision_of(event)


def _opened(fact: Recorded) -> Saved:
    if not isinstance(fact.event, RecordSaved):
        message = f"position {fact.position}: no record"
        raise CorruptRecord(message)
    return opened(fact.event)


def _revision(
    text: Revision, place: RevisionPlace, comment: str | None
) -> RevisionView:
    return RevisionView(
        revision=text.number,
        title=text.title,
        body=text.body,
        kind=text.kind,
        author_id=text.author_id,
        drafted_at=place.drafted_at,
        status=place.status,
        decided_by=place.decided_by,
        decided_at=place.decided_at,
        reason=comment,
        letter_hash=text.letter_hash,
    )
