"""The one object that offers every operation of the letters service."""

from __future__ import annotations

from services.letters.api import (
    PageList,
    PageView,
    RecordList,
    RecordView,
    Rendition,
)
from services.letters.commands import (
    ApprovePage,
    DraftPage,
    GetPage,
    GetRecord,
    IssueLetter,
    PreviewLetter,
    PreviewMarkup,
    ReturnPage,
    SaveRecord,
    SearchPages,
    SearchRecords,
    SubmitPage,
    WithdrawPage,
)
from services.letters.handlers.issuing import Issuing
from services.letters.handlers.pages import Pages
from services.letters.handlers.records import Records
from services.letters.handlers.views import Views
from services.letters.ports import Index
from shared.context import CallContext, Done


class LettersHandlers:
    """Implements `LettersApi`. Who may call what is the gate's business."""

    def __init__(
        self,
        pages: Pages,
        records: Records,
        issuing: Issuing,
        views: Views,
        index: Index,
    ) -> None:
        """Hand each operation to the part that carries it out."""
        self._pages = pages
        self._records = records
        self._issuing = issuing
        self._views = views
        self._index = index

    def draft(self, request: DraftPage, context: CallContext) -> Done:
        """As `LettersApi.draft`."""
        return self._pages.draft(request, context)

    def submit(self, request: SubmitPage, context: CallContext) -> Done:
        """As `LettersApi.submit`."""
        return self._pages.submit(request, context)

    def approve(self, request: ApprovePage, context: CallContext) -> Done:
        """As `LettersApi.approve`."""
        return self._pages.approve(request, context)

    def return_(self, request: ReturnPage, context: CallContext) -> Done:
        """As `LettersApi.return_`."""
        return self._pages.return_(request, context)

    def withdraw(self, request: WithdrawPage, context: CallContext) -> Done:
        """As `LettersApi.withdraw`."""
        return self._pages.withdraw(request, context)

    def save_record(self, request: SaveRecord, context: CallContext) -> Done:
        """As `LettersApi.save_record`."""
        return self._records.save(request, context)

    def issue(self, request: IssueLetter, context: CallContext) -> Rendition:
        """As `LettersApi.issue`."""
        return self._issuing.issue(request, context)

    def preview(self, request: PreviewLetter, context: CallContext) -> Rendition:
        """As `LettersApi.preview`."""
        return self._issuing.preview(request, context)

    def preview_markup(self, request: PreviewMarkup, context: CallContext) -> Rendition:
        """As `LettersApi.preview_markup`."""
        return self._issuing.preview_markup(request, context)

    def pages(self, request: SearchPages, context: CallContext) -> PageList:
        """As `LettersApi.pages`."""
        del context
        return self._index.pages(request)

    def page(self, request: GetPage, context: CallContext) -> PageView:
        """As `LettersApi.page`."""
        del context
        return self._views.page(request)

    def records(self, request: SearchRecords, context: CallContext) -> RecordList:
        """As `LettersApi.records`."""
        del context
        return self._views.records(request)

    def record(self, request: GetRecord, context: CallContext) -> RecordView:
        """As `LettersApi.record`."""
        del context
        return self._views.record(request)
