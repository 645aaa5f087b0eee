"""What staff do to an envelope once it is sent, and to the organisation's page."""

from __future__ import annotations

from services.crm.commands import GetContact
from services.envelope.commands import (
    CancelSend,
    DescribeOrganisation,
    RenewLink,
    SetExpiry,
)
from services.envelope.errors import EnvelopeUnknown
from services.envelope.handlers.links import hash_of
from services.envelope.handlers.streams import ORGANISATION, stream_of
from services.envelope.handlers.tools import Tools
from services.envelope.model.life import decide_expiry, decide_renewal
from services.envelope.model.organisation import decide_description
from services.envelope.model.sending import decide_cancel, refuse_stopped
from shared.context import CallContext, Done


class Keeper:
    """The operations `cancel`, `set_expiry`, `renew` and `describe`."""

    def __init__(self, tools: Tools) -> None:
        """Work with `tools`."""
        self._tools = tools

    def cancel(self, request: CancelSend, context: CallContext) -> Done:
        """As `EnvelopeApi.cancel`."""
        return self._tools.envelopes.run(
            stream_of(request.envelope_id), context, decide_cancel
        )

    def set_expiry(self, request: SetExpiry, context: CallContext) -> Done:
        """As `EnvelopeApi.set_expiry`; also raises EnvelopeUnknown.

        `reason` is a code word such as wrong_person, never a sentence: it stands in
        metadata, where nothing personal may be.
        """
        return self._tools.envelopes.run(
            stream_of(request.envelope_id),
            context,
            lambda envelope, at: decide_expiry(
                envelope, request.expires_at, request.reason, at
            ),
        )

    def renew(self, request: RenewLink, context: CallContext) -> Done:
        """As `EnvelopeApi.renew`; also raises what stands against a sending."""
        tools, envelope_id = self._tools, request.envelope_id
        stream = stream_of(envelope_id)
        present = tools.envelopes.load(stream).state
        if not present.envelope_id:
            raise EnvelopeUnknown
        recipient = tools.crm.recipient(
            GetContact(contact_id=present.contact_id), context.step("recipient")
        )
        refuse_stopped(recipient.stops, present.purpose)
        tools.claim_sending(context)
        return tools.envelopes.run(
            stream,
            context,
            lambda envelope, at: decide_renewal(
                envelope,
                at,
                asked_by="staff",
                state="open",
                link_hash=lambda generation: hash_of(
                    tools.links.token(envelope_id, generation, "letter")
                ),
                life=tools.life,
            ),
        )

    def describe(self, request: DescribeOrganisation, context: CallContext) -> Done:
        """As `EnvelopeApi.describe`."""
        return self._tools.organisations.run(
            ORGANISATION,
            context,
            lambda organisation, _: decide_description(organisation, request),
        )
