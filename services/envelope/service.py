"""How other services reach the envelope service: translate, delegate, nothing else."""

from __future__ import annotations

from services.envelope.api import (
    Choices,
    Door,
    EnvelopeApi,
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
from shared.context import CallContext, Done
from shared.messaging.nameko_typed import provided, rpc


class EnvelopeService:
    """RPC entry points. Each method is one operation of `EnvelopeApi`."""

    name = "envelope"
    api: EnvelopeApi = provided("envelope")

    @rpc
    def describe(self, request: DescribeOrganisation, context: CallContext) -> Done:
        """Describe the organisation. Raises OrganisationInvalid."""
        return self.api.describe(request, context)

    @rpc
    def organisation(
        self, request: GetOrganisation, context: CallContext
    ) -> Organisation:
        """Return who the organisation is."""
        return self.api.organisation(request, context)

    @rpc
    def preview(self, request: PreviewSend, context: CallContext) -> SendPreview:
        """Show what `send` would do; raises what it would raise, writes nothing."""
        return self.api.preview(request, context)

    @rpc
    def send(self, request: SendLetter, context: CallContext) -> Sent:
        """Accept and seal one letter for one contact; repeatable by command id."""
        return self.api.send(request, context)

    @rpc
    def cancel(self, request: CancelSend, context: CallContext) -> Done:
        """Undo. Raises EnvelopeUnknown, TooLateToCancel."""
        return self.api.cancel(request, context)

    @rpc
    def set_expiry(self, request: SetExpiry, context: CallContext) -> Done:
        """Shorten or end the envelope's life. Raises ExpiryInvalid, ExpiryTooLate."""
        return self.api.set_expiry(request, context)

    @rpc
    def renew(self, request: RenewLink, context: CallContext) -> Done:
        """Send a fresh link, old ones die. Raises EnvelopeUnknown, RenewalRefused."""
        return self.api.renew(request, context)

    @rpc
    def knock(self, request: Knock, context: CallContext) -> Door:
        """Tell the door's state; records at most one coalesced LinkFetched."""
        return self.api.knock(request, context)

    @rpc
    def ask_code(self, request: AskCode, context: CallContext) -> Done:
        """Mail a one-time code. Raises as the door is shut, CodeLocked."""
        return self.api.ask_code(request, context)

    @rpc
    def ask_fresh(self, request: AskFresh, context: CallContext) -> Done:
        """Send a fresh envelope to the address on file. Raises RenewalRefused."""
        return self.api.ask_fresh(request, context)

    @rpc
    def open(self, request: OpenEnvelope, context: CallContext) -> Ticket:
        """Judge the answer, record the view, hand out a ticket."""
        return self.api.open(request, context)

    @rpc
    def read(self, request: ReadLetter, context: CallContext) -> Letter:
        """Return the letter after its evidence is durable. Raises TicketInvalid."""
        return self.api.read(request, context)

    @rpc
    def held(self, request: ReadLetter, context: CallContext) -> Held:
        """Return which envelope a ticket opens, and what happened to it.

        The letter is not shown. Raises as `read`.
        """
        return self.api.held(request, context)

    @rpc
    def choices(self, request: GetChoices, context: CallContext) -> Choices:
        """Return the stops that stand."""
        return self.api.choices(request, context)

    @rpc
    def choose(self, request: SetChoice, context: CallContext) -> Done:
        """Set or lift a stop by link. Raises EnvelopeUnknown."""
        return self.api.choose(request, context)

    @rpc
    def messages(self, request: GetMessages, context: CallContext) -> MessageList:
        """Return a contact's message list."""
        return self.api.messages(request, context)

    @rpc
    def message(self, request: GetMessage, context: CallContext) -> MessageView:
        """Return one message. Raises EnvelopeUnknown."""
        return self.api.message(request, context)

    @rpc
    def recent_pages(
        self, request: GetRecentPages, context: CallContext
    ) -> tuple[str, ...]:
        """Return up to ten page numbers this member of staff sent last."""
        return self.api.recent_pages(request, context)

    @rpc
    def attention(self, request: GetAttention, context: CallContext) -> MessageList:
        """Return messages that need somebody."""
        return self.api.attention(request, context)


SERVICE = EnvelopeService
