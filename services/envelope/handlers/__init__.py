"""The envelope service's operations: load, decide, append."""

from __future__ import annotations

from services.envelope.api import (
    Choices,
    Door,
    Held,
    Letter,
    MessageList,
    MessageView,
    Organisation,
    SendPreview,
    Sent,
    Ticket,
)
from services.envelope.commands import (
    AskCode,
    AskFresh,
    CancelSend,
    DescribeOrganisation,
    GetAttention,
    GetChoices,
    GetMessage,
    GetMessages,
    GetOrganisation,
    GetRecentPages,
    Knock,
    OpenEnvelope,
    PreviewSend,
    ReadLetter,
    RenewLink,
    SendLetter,
    SetChoice,
    SetExpiry,
)
from services.envelope.handlers.choosing import Chooser
from services.envelope.handlers.door import DoorKeeper
from services.envelope.handlers.finding import Finder
from services.envelope.handlers.keeping import Keeper
from services.envelope.handlers.opening import Opener
from services.envelope.handlers.reading import Reader
from services.envelope.handlers.sending import Sending
from services.envelope.handlers.tools import Tools
from shared.context import CallContext, Done


class EnvelopeHandlers:
    """As `EnvelopeApi`."""

    def __init__(self, tools: Tools) -> None:
        """Work with `tools`."""
        finder = Finder(tools)
        self._tools = tools
        self._sending = Sending(tools)
        self._keeper = Keeper(tools)
        self._door = DoorKeeper(tools, finder)
        self._opener = Opener(tools, finder)
        self._reader = Reader(tools)
        self._chooser = Chooser(tools, finder)

    def describe(self, request: DescribeOrganisation, context: CallContext) -> Done:
        """As `EnvelopeApi.describe`."""
        return self._keeper.describe(request, context)

    def organisation(
        self, request: GetOrganisation, context: CallContext
    ) -> Organisation:
        """As `EnvelopeApi.organisation`."""
        del request, context
        return self._tools.organisation()

    def preview(self, request: PreviewSend, context: CallContext) -> SendPreview:
        """As `EnvelopeApi.preview`."""
        return self._sending.preview(request, context)

    def send(self, request: SendLetter, context: CallContext) -> Sent:
        """As `EnvelopeApi.send`."""
        return self._sending.send(request, context)

    def cancel(self, request: CancelSend, context: CallContext) -> Done:
        """As `EnvelopeApi.cancel`."""
        return self._keeper.cancel(request, context)

    def set_expiry(self, request: SetExpiry, context: CallContext) -> Done:
        """As `EnvelopeApi.set_expiry`."""
        return self._keeper.set_expiry(request, context)

    def renew(self, request: RenewLink, context: CallContext) -> Done:
        """As `EnvelopeApi.renew`."""
        return self._keeper.renew(request, context)

    def knock(self, request: Knock, context: CallContext) -> Door:
        """As `EnvelopeApi.knock`."""
        return self._door.knock(request, context)

    def ask_code(self, request: AskCode, context: CallContext) -> Done:
        """As `EnvelopeApi.ask_code`."""
        return self._door.ask_code(request, context)

    def ask_fresh(self, request: AskFresh, context: CallContext) -> Done:
        """As `EnvelopeApi.ask_fresh`."""
        return self._door.ask_fresh(request, context)

    def open(self, request: OpenEnvelope, context: CallContext) -> Ticket:
        """As `EnvelopeApi.open`."""
        return self._opener.open(request, context)

    def read(self, request: ReadLetter, context: CallContext) -> Letter:
        """As `EnvelopeApi.read`."""
        return self._reader.read(request, context)

    def held(self, request: ReadLetter, context: CallContext) -> Held:
        """As `EnvelopeApi.held`."""
        return self._reader.held(request, context)

    def choices(self, request: GetChoices, context: CallContext) -> Choices:
        """As `EnvelopeApi.choices`."""
        return self._chooser.choices(request, context)

    def choose(self, request: SetChoice, context: CallContext) -> Done:
        """As `EnvelopeApi.choose`."""
        return self._chooser.choose(request, context)

    def messages(self, request: GetMessages, context: CallContext) -> MessageList:
        """As `EnvelopeApi.messages`."""
        del context
        return self._tools.lists.messages(request)

    def message(self, request: GetMessage, context: CallContext) -> MessageView:
        """As `EnvelopeApi.message`."""
        del context
        return self._tools.lists.message(request)

    def recent_pages(
        self, request: GetRecentPages, context: CallContext
    ) -> tuple[str, ...]:
        """As `EnvelopeApi.recent_pages`."""
        del context
        return self._tools.lists.recent_pages(request.actor_id, request.after)

    def attention(self, request: GetAttention, context: CallContext) -> MessageList:
        """As `EnvelopeApi.attention`."""
        del context
        return self._tools.lists.attention(request)
