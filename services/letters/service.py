"""How other services reach the letters service: translate, delegate, nothing else."""

from __future__ import annotations

from services.letters.api import (
    LettersApi,
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
from shared.context import CallContext, Done
from shared.messaging.nameko_typed import provided, rpc


class LettersService:
    """RPC entry points. Each method is one operation of `LettersApi`."""

    name = "letters"
    api: LettersApi = provided("letters")

    @rpc
    def draft(self, request: DraftPage, context: CallContext) -> Done:
        """Write a revision; `ref` is the page number. Raises LetterInvalid."""
        return self.api.draft(request, context)

    @rpc
    def submit(self, request: SubmitPage, context: CallContext) -> Done:
        """Ask for approval. Raises PageUnknown, LetterInvalid (names every gap)."""
        return self.api.submit(request, context)

    @rpc
    def approve(self, request: ApprovePage, context: CallContext) -> Done:
        """Approve. Raises AuthorCannotApprove, NotSubmitted, SecretNotOffered."""
        return self.api.approve(request, context)

    @rpc
    def return_(self, request: ReturnPage, context: CallContext) -> Done:
        """Send back with a reason. Raises NotSubmitted."""
        return self.api.return_(request, context)

    @rpc
    def withdraw(self, request: WithdrawPage, context: CallContext) -> Done:
        """Stop new sends. Raises PageUnknown, LetterNotApproved."""
        return self.api.withdraw(request, context)

    @rpc
    def save_record(self, request: SaveRecord, context: CallContext) -> Done:
        """Record a request; `ref` is its key. Raises RecordInvalid, PageUnknown."""
        return self.api.save_record(request, context)

    @rpc
    def issue(self, request: IssueLetter, context: CallContext) -> Rendition:
        """Merge for sending. Raises as the errors of this service name."""
        return self.api.issue(request, context)

    @rpc
    def preview(self, request: PreviewLetter, context: CallContext) -> Rendition:
        """Merge for looking; writes nothing. Raises as `issue` where that applies."""
        return self.api.preview(request, context)

    @rpc
    def preview_markup(self, request: PreviewMarkup, context: CallContext) -> Rendition:
        """Show unsaved text with marked sample values."""
        return self.api.preview_markup(request, context)

    @rpc
    def pages(self, request: SearchPages, context: CallContext) -> PageList:
        """Find pages."""
        return self.api.pages(request, context)

    @rpc
    def page(self, request: GetPage, context: CallContext) -> PageView:
        """Return one page. Raises PageUnknown."""
        return self.api.page(request, context)

    @rpc
    def records(self, request: SearchRecords, context: CallContext) -> RecordList:
        """Find records."""
        return self.api.records(request, context)

    @rpc
    def record(self, request: GetRecord, context: CallContext) -> RecordView:
        """Return one record. Raises RecordUnknown, RecordNotTheirs."""
        return self.api.record(request, context)


SERVICE = LettersService
