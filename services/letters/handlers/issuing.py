"""Merging a page for one contact: for sending, once, or for looking."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.letters.api import Rendition
from services.letters.commands import IssueLetter, Merge, PreviewLetter, PreviewMarkup
from services.letters.events import LetterIssued
from services.letters.handlers.pages import Pages, fact_at, fields_of, title_of
from services.letters.handlers.records import Records
from services.letters.model import deciding as rules
from services.letters.model.draft import body_of
from services.letters.model.merging import (
    Merged,
    Shown,
    merged,
    refuse_gaps,
    refuse_unfit,
    sample,
)
from services.letters.model.page import (
    Approval,
    Page,
    Revision,
    hash_of,
    in_force,
)
from services.letters.model.record import Saved, summary
from shared.clock import Clock
from shared.context import CallContext
from shared.errors import Malformed
from shared.events import Event, Recorded
from shared.eventstore.port import CorruptRecord, EventStore


class Issuing:
    """Merges letters; keeps no copy."""

    def __init__(
        self, store: EventStore, clock: Clock, pages: Pages, records: Records
    ) -> None:
        """Merge what `pages` and `records` hold."""
        self._store = store
        self._clock = clock
        self._pages = pages
        self._records = records

    def issue(self, request: IssueLetter, context: CallContext) -> Rendition:
        """Merge the revision in force, and record that it was issued.

        The fact in the page's stream is the permission: it stands before or after
        `LetterWithdrawn`, and that decides. A repeat returns the same bytes, of the
        revision, the record's state and the day of the first time.

        Raises:
            As `LettersApi.issue`. Malformed: the command id was used for another
            contact or envelope.
        """

        def decide(page: Page, at: datetime) -> Sequence[Event]:
            approval = in_force(page)
            record = self._record(request.record)
            self._ready(approval.revision, record, request, at)
            return rules.issue(page, request, record.revision if record else None)

        done = self._pages.run(request.page, context, decide)
        fact = fact_at(self._store, done.position)
        issued = _own(fact, request)
        approval = self._pages.approval(request.page, issued.revision)
        if hash_of(approval.revision) != issued.letter_hash:
            message = f"page {issued.page}@{issued.revision} is not what was approved"
            raise CorruptRecord(message)
        record = self._record(request.record, issued.record_revision)
        ready = self._ready(approval.revision, record, request, fact.recorded_at)
        return self._rendition(
            approval.revision,
            ready,
            record,
            contact_id=request.contact_id,
            approval=approval,
            position=done.position,
        )

    def preview(self, request: PreviewLetter, context: CallContext) -> Rendition:
        """Merge for looking; writes nothing. Raises as `LettersApi.preview`."""
        del context
        page, position = self._pages.state(request.page)
        record = self._record(request.record)
        now = self._clock.now()
        if request.revision:
            revision = self._pages.revision(request.page, request.revision)
            if record is not None:
                refuse_unfit(revision, record, request.contact_id)
            shown = self._shown(
                revision, record, request.merge, request.contact_id, now
            )
            result = merged(revision, shown)
        else:
            revision = in_force(page).revision
            result = self._ready(revision, record, request, now)
        approved = page.approved
        return self._rendition(
            revision,
            result,
            record,
            contact_id=request.contact_id,
            approval=approved if approved and approved.revision == revision else None,
            position=position,
        )

    def preview_markup(self, request: PreviewMarkup, context: CallContext) -> Rendition:
        """Show unsaved text with marked sample values. Raises LetterInvalid."""
        del context
        result = sample(body_of(request.body))
        return Rendition(
            page="",
            revision=0,
            letter_hash="",
            title=request.title,
            kind="",
            letter_class="",
            purpose="",
            fact_required=False,
            html=result.html,
            approved_at=None,
            gaps=result.gaps,
        )

    def _ready(
        self,
        revision: Revision,
        record: Saved | None,
        request: IssueLetter | PreviewLetter,
        at: datetime,
    ) -> Merged:
        """Return the letter as it may be sent, or refuse."""
        refuse_unfit(revision, record, request.contact_id)
        shown = self._shown(revision, record, request.merge, request.contact_id, at)
        result = merged(revision, shown)
        refuse_gaps(result.gaps)
        return result

    def _record(self, key: str | None, revision: int | None = None) -> Saved | None:
        return self._records.saved(key, revision)[0] if key is not None else None

    def _shown(
        self,
        revision: Revision,
        record: Saved | None,
        merge: Merge,
        contact_id: str | None,
        at: datetime,
    ) -> Shown:
        form = self._pages.form(record.page) if record else None
        types = {field.name: field.type for field in revision.form}
        if form is not None:
            types |= form.field_types
        return Shown(
            merge=merge, contact_id=contact_id, today=at, record=record, types=types
        )

    def _rendition(
        self,
        revision: Revision,
        result: Merged,
        record: Saved | None,
        *,
        contact_id: str | None,
        approval: Approval | None,
        position: int,
    ) -> Rendition:
        return Rendition(
            page=revision.page,
            revision=revision.number,
            letter_hash=revision.letter_hash,
            title=revision.title,
            kind=revision.kind,
            letter_class=approval.letter_class if approval else "",
            purpose=approval.purpose if approval else "",
            fact_required=approval.fact_required if approval else False,
            html=result.html,
            approved_at=approval.approved_at if approval else None,
            gaps=result.gaps,
            record_summary=self._summary(record),
            request_author=record is not None and record.author_id == contact_id,
            position=position,
        )

    def _summary(self, record: Saved | None) -> str:
        form = self._pages.form(record.page) if record else None
        if record is None or form is None:
            return ""
        return summary(title_of(form), fields_of(form), record)


def _own(fact: Recorded, request: IssueLetter) -> LetterIssued:
    """Return the fact if it is the one this request wrote."""
    event = fact.event
    if (
        not isinstance(event, LetterIssued)
        or event.page != request.page
        or event.contact_id != request.contact_id
        or event.envelope_id != request.envelope_id
        or (event.record_revision is None) != (request.record is None)
    ):
        message = "The command id was used for another request already."
        raise Malformed(message)
    return event
