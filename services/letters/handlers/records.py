"""Records: their streams, and how one is saved and opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from services.letters.commands import SaveRecord
from services.letters.errors import (
    LetterIsWithdrawn,
    LetterNotApproved,
    PageUnknown,
    RecordInvalid,
    RecordUnknown,
)
from services.letters.events import RecordSaved
from services.letters.handlers.pages import TRIES, Pages, Taken
from services.letters.model import record as rules
from services.letters.model.form import Fields
from services.letters.model.record import Record, Saved
from services.letters.model.text import PAGE, RECORD
from shared.clock import Clock
from shared.context import CallContext, Done
from shared.errors import Malformed
from shared.events import Event, Recorded
from shared.eventstore.port import EventStore
from shared.handling import Aggregates
from shared.ids import derived_number


class Records:
    """All records, by key."""

    def __init__(self, store: EventStore, clock: Clock, pages: Pages) -> None:
        """Work on the streams `letters.record-<key>`, by the forms of `pages`."""
        self._store = store
        self._pages = pages
        self._records = Aggregates(store, clock, Record(), rules.evolve)

    def save(self, request: SaveRecord, context: CallContext) -> Done:
        """Record a request; `ref` is its key. Raises as `LettersApi.save_record`.

        A new one needs its form in force; a correction needs it to have been so once.
        """
        if request.record is not None:
            return self._correct(request.record, request, context)
        for key in _keys(request, context):
            try:
                return self._begin(key, request, context)
            except Taken:
                continue
        message = "No free record key was found. Try once more."
        raise RecordInvalid(message)

    def saved(self, key: str, revision: int | None = None) -> tuple[Saved, Recorded]:
        """Return a state of a record, opened: the newest one, or `revision`.

        Raises:
            RecordUnknown: there is none, or it was erased with its author.
        """
        found: Recorded | None = None
        for record in self._store.read(_stream(key)):
            event = record.event
            if isinstance(event, RecordSaved) and revision in {None, event.revision}:
                found = record
        if found is None or not isinstance(found.event, RecordSaved):
            raise RecordUnknown
        return rules.opened(found.event), found

    def _begin(self, key: str, request: SaveRecord, context: CallContext) -> Done:
        def decide(record: Record, at: datetime) -> Sequence[Event]:
            del at
            if record.revision:
                raise Taken
            return rules.save(record, key, request, self._form(request.page, new=True))

        done = self._records.run(_stream(key), context, decide, ref=key)
        if self._records.load(_stream(key)).state.author_id != request.author_id:
            raise Malformed("This form was used for another person already.")
        return done

    def _correct(self, key: str, request: SaveRecord, context: CallContext) -> Done:
        def decide(record: Record, at: datetime) -> Sequence[Event]:
            del at
            if not record.revision:
                raise RecordUnknown
            fields = self._form(record.page, new=False)
            return rules.save(record, key, request, fields)

        return self._records.run(_stream(key), context, decide, ref=key)

    def _form(self, number: str, *, new: bool) -> Fields:
        form = self._pages.form(number)
        if form is None:
            message = "There is no form with this number."
            raise PageUnknown(message)
        if new and form.withdrawn:
            raise LetterIsWithdrawn
        if form.approved is None:
            raise LetterNotApproved
        return form.approved.revision.form


def _keys(request: SaveRecord, context: CallContext) -> Iterator[str]:
    page = request.page
    if not PAGE.fullmatch(page):
        raise PageUnknown
    if request.number is not None:
        if not RECORD.fullmatch(request.number) or request.number[:6] != page:
            message = "A record key is the form's number, a dash and six digits."
            raise RecordInvalid(message)
        yield request.number
    for attempt in range(TRIES):
        digits = derived_number(context.command_id, "record", digits=6, attempt=attempt)
        yield f"{page}-{digits}"


def _stream(key: str) -> str:
    if not RECORD.fullmatch(key):
        raise RecordUnknown
    return f"letters.record-{key}"
