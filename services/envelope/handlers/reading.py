"""Reading the letter that a ticket opened. Evidence first, bytes after (I4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.audit.commands import GetTimeline
from services.audit.errors import TrailUnknown
from services.envelope.api import Held, Letter
from services.envelope.commands import ReadLetter
from services.envelope.errors import TicketInvalid
from services.envelope.handlers.renditions import Content
from services.envelope.handlers.streams import stream_of
from services.envelope.handlers.tickets import Pass
from services.envelope.handlers.tools import Tools
from services.envelope.model.door import FIRST_READ, decide_reading, refuse_shut
from services.envelope.model.state import Envelope
from services.envelope.model.words import reference_of
from shared.context import CallContext


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    said: Pass
    envelope: Envelope
    at: datetime


class Reader:
    """The operations `read` and `held`."""

    def __init__(self, tools: Tools) -> None:
        """Work with `tools`."""
        self._tools = tools

    def read(self, request: ReadLetter, context: CallContext) -> Letter:
        """As `EnvelopeApi.read`; raises as the door is shut since, with the date.

        Raises:
            CorruptRecord: the rendition is not what was sealed; nothing is shown.
            StoreUnavailable: the showing could not be recorded; nothing is shown.
        """
        tools = self._tools
        held = self._held(request, context)
        content = tools.renditions.thaw(held.envelope)
        was_recorded = held.at - held.said.opened_at <= FIRST_READ and (
            tools.counters.first_reading(
                held.said.opening_id, context.command_id, held.at
            )
        )
        if not was_recorded:
            tools.envelopes.run(
                stream_of(held.said.envelope_id),
                context,
                lambda envelope, at: decide_reading(envelope, held.said.generation, at),
            )
        held = self._held(request, context)  # shut meanwhile? then nothing is shown
        tools.failpoints.hit("read.before_bytes")
        return self._letter(held.envelope, content)

    def held(self, request: ReadLetter, context: CallContext) -> Held:
        """As `EnvelopeApi.held`; raises what `read` raises, writes nothing.

        Whose history it is says the ticket: the pages outside name no envelope.
        """
        envelope = self._held(request, context).envelope
        asked = GetTimeline(envelope_id=envelope.envelope_id)
        try:
            trail = self._tools.audit.timeline(asked, context.step("history")).lines
        except TrailUnknown:  # opened this moment; the trail has not come to it
            trail = ()
        return Held(
            envelope_id=envelope.envelope_id,
            reference=reference_of(envelope.envelope_id),
            organisation=self._tools.organisation(),
            trail=trail,
        )

    def _held(self, request: ReadLetter, context: CallContext) -> _Held:
        """Judge the ticket against the door as it stands now."""
        tools = self._tools
        browser = tools.tickets.browser(request.browser)
        said = tools.tickets.judge(request.ticket, browser)
        loaded = tools.envelopes.load(stream_of(said.envelope_id))
        now = tools.envelopes.now(loaded)
        tools.refuse_erased(loaded.state.contact_id, context)
        refuse_shut(loaded.state, said.generation, now, reading=True)
        if now >= said.expires_at:
            raise TicketInvalid
        return _Held(said=said, envelope=loaded.state, at=now)

    def _letter(self, envelope: Envelope, content: Content) -> Letter:
        return Letter(
            envelope_id=envelope.envelope_id,
            contact_id=envelope.contact_id,
            title=content.title,
            html=content.html,
            kind=envelope.kind,
            formal_name=content.formal_name,
            sender_name=content.sender_name,
            page=envelope.page,
            revision=envelope.revision,
            approved_at=envelope.approved_at,
            accepted_at=envelope.accepted_at,
            expires_at=envelope.expires_at,
            reference=reference_of(envelope.envelope_id),
            letter_hash=envelope.letter_hash,
            organisation=self._tools.organisation(),
        )
