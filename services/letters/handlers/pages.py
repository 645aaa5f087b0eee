"""Pages: their streams, and every command that changes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from services.letters.commands import (
    ApprovePage,
    DraftPage,
    ReturnPage,
    SubmitPage,
    WithdrawPage,
)
from services.letters.errors import LetterInvalid, PageUnknown
from services.letters.events import LetterApproved, LetterDrafted
from services.letters.model import deciding as rules
from services.letters.model.draft import Written, written
from services.letters.model.form import Fields
from services.letters.model.merging import refuse_unfinished
from services.letters.model.page import (
    FORM,
    Approval,
    Page,
    Revision,
    approval_of,
    evolve,
    revision_of,
)
from services.letters.model.text import PAGE
from shared.clock import Clock
from shared.context import CallContext, Done
from shared.events import Event, Recorded
from shared.eventstore.port import CorruptRecord, EventStore
from shared.handling import Aggregates
from shared.ids import derived_number

TRIES: Final = 50  # numbers tried for a new page or record


class Taken(Exception):
    """The number is in use already: no refusal, the next one is tried."""


class Pages:
    """All pages, by number."""

    def __init__(self, store: EventStore, clock: Clock) -> None:
        """Work on the streams `letters.page-<number>`."""
        self._store = store
        self._pages = Aggregates(store, clock, Page(), evolve)

    def draft(self, request: DraftPage, context: CallContext) -> Done:
        """Write a revision; `ref` is the number. Raises as `LettersApi.draft`."""
        text = written(request)
        author = context.actor_id
        if request.page is not None:
            number = request.page
            return self.run(
                number, context, lambda page, _: rules.draft(page, number, text, author)
            )
        for number in _numbers(request, context):
            try:
                return self._begin(number, context, text)
            except Taken:
                continue
        message = "No free page number was found. Try once more."
        raise LetterInvalid(message)

    def submit(self, request: SubmitPage, context: CallContext) -> Done:
        """Ask for approval. Raises as `LettersApi.submit`."""

        def decide(page: Page, at: datetime) -> Sequence[Event]:
            del at
            revision = rules.submittable(page, request)
            refuse_unfinished(revision, self._fields_for(revision))
            return rules.submit(page, request)

        return self.run(request.page, context, decide)

    def approve(self, request: ApprovePage, context: CallContext) -> Done:
        """Approve. Raises as `LettersApi.approve`."""
        return self.run(
            request.page,
            context,
            lambda page, at: rules.approve(page, request, context.actor_id, at),
        )

    def return_(self, request: ReturnPage, context: CallContext) -> Done:
        """Send back. Raises as `LettersApi.return_`."""
        return self.run(
            request.page, context, lambda page, _: rules.return_(page, request)
        )

    def withdraw(self, request: WithdrawPage, context: CallContext) -> Done:
        """Stop new sends. Raises as `LettersApi.withdraw`."""
        return self.run(
            request.page, context, lambda page, _: rules.withdraw(page, request)
        )

    def run(
        self,
        number: str,
        context: CallContext,
        decide: Callable[[Page, datetime], Sequence[Event]],
    ) -> Done:
        """Carry out one command on a page that exists. Raises PageUnknown."""

        def known(page: Page, at: datetime) -> Sequence[Event]:
            if page.newest is None:
                raise PageUnknown
            return decide(page, at)

        return self._pages.run(_stream(number), context, known, ref=number)

    def state(self, number: str) -> tuple[Page, int]:
        """Return a page as it is now, and its position. Raises PageUnknown."""
        loaded = self._pages.load(_stream(number))
        if loaded.state.newest is None:
            raise PageUnknown
        return loaded.state, loaded.position

    def form(self, number: str | None) -> Page | None:
        """Return the form with this number, None if there is none."""
        if number is None or not PAGE.fullmatch(number):
            return None
        page = self._pages.load(_stream(number)).state
        is_form = page.newest is not None and page.newest.page_type == FORM
        return page if is_form else None

    def revision(self, number: str, revision: int) -> Revision:
        """Return one revision, whatever became of it. Raises PageUnknown."""
        page, _ = self.state(number)
        for known in (page.newest, page.approved and page.approved.revision):
            if known and known.number == revision:
                return known
        for record in self._store.read(_stream(number)):
            event = record.event
            if isinstance(event, LetterDrafted) and event.revision == revision:
                return revision_of(event)
        raise PageUnknown

    def approval(self, number: str, revision: int) -> Approval:
        """Return the approval a revision was given once. Raises PageUnknown."""
        approved = self.state(number)[0].approved
        if approved and approved.revision.number == revision:
            return approved
        text = self.revision(number, revision)
        for record in self._store.read(_stream(number)):
            event = record.event
            if isinstance(event, LetterApproved) and event.revision == revision:
                return approval_of(text, event)
        raise PageUnknown

    def _begin(self, number: str, context: CallContext, text: Written) -> Done:
        def decide(page: Page, at: datetime) -> Sequence[Event]:
            del at
            if page.newest is not None:
                raise Taken
            return rules.draft(page, number, text, context.actor_id)

        return self._pages.run(
            _stream(number),
            context,
            decide,
            ref=number,
            begins=lambda _: rules.draft(Page(), number, text, context.actor_id),
        )

    def _fields_for(self, revision: Revision) -> Fields | None:
        if revision.page_type == FORM:
            return revision.form
        form = self.form(revision.answers)
        return fields_of(form) if form else None


def fields_of(form: Page) -> Fields:
    """Return the fields of a form as approved, else as written last."""
    shown = form.approved.revision if form.approved else form.newest
    return shown.form if shown else ()


def title_of(form: Page | None) -> str:
    """Return the title of a form as approved, else as written last."""
    if form is None:
        return ""
    shown = form.approved.revision if form.approved else form.newest
    return shown.title if shown else ""


def fact_at(store: EventStore, position: int) -> Recorded:
    """Return the fact at a position of the store.

    Raises:
        CorruptRecord: there is none, though there must be.
    """
    found = store.read_all(position - 1, 1)
    if not found or found[0].position != position:
        message = f"position {position}: the fact is not there"
        raise CorruptRecord(message)
    return found[0]


def _numbers(request: DraftPage, context: CallContext) -> Iterator[str]:
    if request.number is not None:
        if not PAGE.fullmatch(request.number):
            message = "A page number has six digits and does not begin with zero."
            raise LetterInvalid(message)
        yield request.number
    for attempt in range(TRIES):
        yield derived_number(context.command_id, "page", digits=6, attempt=attempt)


def _stream(number: str) -> str:
    if not PAGE.fullmatch(number):
        raise PageUnknown
    return f"letters.page-{number}"
