"""Sending one letter to one contact, and looking at what that would do."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from services.audit.commands import SealIdentity
from services.crm.api import Recipient
from services.crm.commands import GetContact
from services.envelope.api import SendPreview, Sent
from services.envelope.commands import PreviewSend, SendLetter
from services.envelope.errors import (
    EnvelopeUnknown,
    NotANamedPerson,
    OrganisationMissing,
    SenderLimit,
)
from services.envelope.events import EnvelopeSent
from services.envelope.handlers.links import hash_of
from services.envelope.handlers.renditions import Content, Frozen
from services.envelope.handlers.streams import stream_of
from services.envelope.handlers.tools import Tools
from services.envelope.model.names import refuse_unnamed
from services.envelope.model.sending import (
    LATELY,
    MOVED_LATELY,
    SENDINGS,
    SENDINGS_WITHIN,
    choose_check,
    expiry_of,
    refuse_stopped,
)
from services.envelope.model.state import Envelope
from services.envelope.model.words import reference_of
from services.letters.api import Rendition
from services.letters.commands import IssueLetter, Merge, PreviewLetter
from shared.context import CallContext, Done
from shared.errors import Malformed
from shared.events import Event
from shared.ids import derived_hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A sending that nothing stands against so far."""

    recipient: Recipient
    record: str | None
    merge: Merge
    rendition: Rendition
    check: str


class Sending:
    """The operations `preview` and `send`."""

    def __init__(self, tools: Tools) -> None:
        """Work with `tools`."""
        self._tools = tools

    def preview(self, request: PreviewSend, context: CallContext) -> SendPreview:
        """As `EnvelopeApi.preview`."""
        now = self._tools.clock.now()
        plan = self._plan(request, context)
        since = now - SENDINGS_WITHIN
        if self._tools.counters.sendings(context.actor_id, since) >= SENDINGS:
            raise SenderLimit
        return SendPreview(
            formal_name=plan.recipient.formal_name,
            masked_email=plan.recipient.masked_email,
            title=plan.rendition.title,
            kind=plan.rendition.kind,
            record_summary=plan.rendition.record_summary,
            html=plan.rendition.html,
            letter_class=plan.rendition.letter_class,
            check=plan.check,
            expires_at=expiry_of(None, now, self._tools.life),
            warnings=self._warnings(request, plan, context, now),
        )

    def send(self, request: SendLetter, context: CallContext) -> Sent:
        """As `EnvelopeApi.send`."""
        tools = self._tools
        envelope_id = derived_hex(context.command_id, "envelope")
        stream = stream_of(envelope_id)
        if not tools.envelopes.load(stream).state.envelope_id:
            expiry_of(request.expires_at, tools.clock.now())  # before anything else
            plan = self._plan(request, context)
            self._tools.claim_sending(context)
            plan = self._issued(request, plan, envelope_id, context)
            frozen = tools.renditions.freeze(
                request.contact_id, envelope_id, _content(plan)
            )
            identity = self._identity(plan.recipient, envelope_id, context)
            tools.failpoints.hit("send.before_append")

            def decide(envelope: Envelope, at: datetime) -> list[Event]:
                if envelope.envelope_id:
                    return []
                ends = expiry_of(request.expires_at, at, tools.life)
                return [self._sent(plan, frozen, identity, envelope_id, ends, at)]

            tools.envelopes.run(stream, context, decide)
            tools.failpoints.hit("send.after_append")
        loaded = tools.envelopes.load(stream)
        self._refuse_other(request, loaded.state)
        first = tools.envelopes.run(stream, context, lambda *_: [])
        return _answer(loaded.state, first)

    def _refuse_other(self, request: SendLetter, envelope: Envelope) -> None:
        """Answer "sent" for the letter that was asked for, never for an earlier one.

        Raises:
            Malformed: the command id was used for another contact, page or record.
        """
        same = (request.contact_id, request.page) == (
            envelope.contact_id,
            envelope.page,
        )
        with suppress(EnvelopeUnknown):  # erased since: the record can't be compared
            record = self._tools.renditions.thaw(envelope).record
            same = same and record == (_record_of(request) or "")
        if not same:
            raise Malformed(
                "This form sent another letter already; open a new one to send again."
            )

    def _plan(self, request: PreviewSend | SendLetter, context: CallContext) -> Plan:
        """Check all that can be checked without writing, in the order of its weight."""
        tools = self._tools
        if context.actor_kind != "staff":
            raise NotANamedPerson
        refuse_unnamed(request.sender_name)
        organisation = tools.organisation()
        if not organisation.name:
            raise OrganisationMissing
        recipient = tools.crm.recipient(
            GetContact(contact_id=request.contact_id), context.step("recipient")
        )
        refuse_unnamed(recipient.formal_name)
        refuse_stopped(recipient.stops, "service")
        record = _record_of(request)
        merge = Merge(
            formal_name=recipient.formal_name,
            salutation=recipient.salutation,
            sender_name=request.sender_name,
            organisation=organisation.name,
        )
        rendition = tools.letters.preview(
            PreviewLetter(
                page=request.page,
                record=record,
                contact_id=request.contact_id,
                merge=merge,
            ),
            context.step("preview"),
        )
        return Plan(
            recipient=recipient,
            record=record,
            merge=merge,
            rendition=rendition,
            check=_judged(recipient, record, rendition),
        )

    def _issued(
        self, request: SendLetter, plan: Plan, envelope_id: str, context: CallContext
    ) -> Plan:
        """Have the letter issued; what is issued is judged again, not what was seen."""
        rendition = self._tools.letters.issue(
            IssueLetter(
                page=request.page,
                record=plan.record,
                contact_id=request.contact_id,
                envelope_id=envelope_id,
                merge=plan.merge,
            ),
            context.step("issue"),
        )
        return Plan(
            recipient=plan.recipient,
            record=plan.record,
            merge=plan.merge,
            rendition=rendition,
            check=_judged(plan.recipient, plan.record, rendition),
        )

    def _identity(
        self, recipient: Recipient, envelope_id: str, context: CallContext
    ) -> str:
        sealed = self._tools.audit.seal_identity(
            SealIdentity(
                contact_id=recipient.contact_id,
                envelope_id=envelope_id,
                formal_name=recipient.formal_name,
                email=recipient.email,
            ),
            context.step("identity"),
        )
        return base64.b64encode(sealed).decode()

    def _sent(
        self,
        plan: Plan,
        frozen: Frozen,
        identity: str,
        envelope_id: str,
        ends: datetime,
        at: datetime,
    ) -> EnvelopeSent:
        rendition, links = plan.rendition, self._tools.links
        return EnvelopeSent(
            envelope_id=envelope_id,
            contact_id=plan.recipient.contact_id,
            page=rendition.page,
            revision=rendition.revision,
            letter_hash=rendition.letter_hash,
            kind=rendition.kind,
            letter_class=rendition.letter_class,
            purpose=rendition.purpose,
            check=plan.check,
            blob=frozen.blob,
            rendition=frozen.commitment,
            identity=identity,
            link_hash=hash_of(links.token(envelope_id, 1, "letter")),
            choices_hash=hash_of(links.token(envelope_id, 1, "choices")),
            title=rendition.title,
            record=plan.record or "",
            formal_name=plan.recipient.formal_name,
            family=plan.recipient.family,
            email=plan.recipient.email,
            sender_name=plan.merge.sender_name,
            approved_at=rendition.approved_at,
            expires_at=ends,
            release_at=at + self._tools.undo,
        )

    def _warnings(
        self, request: PreviewSend, plan: Plan, context: CallContext, now: datetime
    ) -> tuple[str, ...]:
        contact = self._tools.crm.contact(
            GetContact(contact_id=request.contact_id), context.step("contact")
        )
        moved = contact.email_changed_at
        found = {
            "look_alike": bool(contact.look_alikes),
            "address_changed": moved is not None and now - moved < MOVED_LATELY,
            "sent_lately": self._tools.lists.sent_since(
                request.contact_id,
                plan.rendition.page,
                plan.record or "",
                now - LATELY,
            ),
        }
        return tuple(code for code, holds in found.items() if holds)


def _record_of(request: PreviewSend | SendLetter) -> str | None:
    return (request.record or "").strip() or None


def _judged(recipient: Recipient, record: str | None, rendition: Rendition) -> str:
    """Return the check, unless a stop or a missing fact stands in the way."""
    refuse_stopped(recipient.stops, rendition.purpose)
    return choose_check(
        rendition.letter_class,
        recipient.facts,
        own_request=record is not None and rendition.request_author,
        fact_required=rendition.fact_required,
    )


def _content(plan: Plan) -> Content:
    return Content(
        title=plan.rendition.title,
        html=plan.rendition.html,
        record=plan.record or "",
        formal_name=plan.recipient.formal_name,
        sender_name=plan.merge.sender_name,
    )


def _answer(envelope: Envelope, first: Done) -> Sent:
    return Sent(
        position=first.position,
        envelope_id=envelope.envelope_id,
        reference=reference_of(envelope.envelope_id),
        expires_at=envelope.first_expires_at,
        release_at=envelope.release_at,
    )
