"""The door: knocking, and asking for a code or a fresh envelope."""

from __future__ import annotations

from services.crm.api import Recipient
from services.crm.commands import IssueCode
from services.envelope.api import Door
from services.envelope.commands import AskCode, AskFresh, Knock
from services.envelope.errors import EnvelopeUnknown, RenewalRefused
from services.envelope.events import NoticeQueued
from services.envelope.handlers.finding import Finder
from services.envelope.handlers.links import hash_of
from services.envelope.handlers.streams import notice_stream_of
from services.envelope.handlers.tools import Tools
from services.envelope.model.door import decide_fetch, refuse_shut
from services.envelope.model.life import decide_renewal, may_ask_fresh
from services.envelope.model.notice import CODE_LIFE
from services.envelope.model.words import reference_of
from shared.context import CallContext, Done
from shared.errors import Malformed
from shared.ids import derived


class DoorKeeper:
    """The operations `knock`, `ask_code` and `ask_fresh`."""

    def __init__(self, tools: Tools, finder: Finder) -> None:
        """Work with `tools`; recognise tokens by `finder`."""
        self._tools = tools
        self._finder = finder

    def knock(self, request: Knock, context: CallContext) -> Door:
        """As `EnvelopeApi.knock`."""
        organisation = self._tools.organisation()
        found = self._finder.find(request.token)
        recipient = (
            self._tools.recipient(found.envelope.contact_id, context) if found else None
        )
        if found is None or recipient is None:
            return Door(state="unknown", organisation=organisation)
        self._tools.envelopes.run(
            found.stream,
            context,
            lambda envelope, at: decide_fetch(envelope, found.generation, at),
        )
        envelope, here = found.envelope, found.here
        living = here.state in ("open", "locked")
        return Door(
            state=here.state,
            organisation=organisation,
            initials=recipient.initials if living else "",
            check=envelope.check if living else "",
            expires_at=envelope.expires_at,
            since=here.since,
            viewed_at=None if living else envelope.viewed_at,
            reference=reference_of(envelope.envelope_id),
            can_renew=may_ask_fresh(envelope, here.state, found.at)
            and not _is_stopped(recipient),
        )

    def ask_code(self, request: AskCode, context: CallContext) -> Done:
        """As `EnvelopeApi.ask_code`."""
        found = self._finder.must_find(request.token)
        browser = self._tools.tickets.browser(request.browser)
        envelope = found.envelope
        self._tools.refuse_erased(envelope.contact_id, context)
        refuse_shut(envelope, found.generation, found.at)
        if envelope.check != "code":
            raise Malformed("This letter does not open by a code.")
        code = self._tools.crm.issue_code(
            IssueCode(
                contact_id=envelope.contact_id,
                envelope_id=envelope.envelope_id,
                browser=browser,
            ),
            context.step("code"),
        )
        notice_id = str(derived(context.command_id, "notice"))
        return self._tools.notices.run(
            notice_stream_of(notice_id),
            context,
            lambda _, at: [
                NoticeQueued(
                    notice_id=notice_id,
                    contact_id=envelope.contact_id,
                    envelope_id=envelope.envelope_id,
                    kind="code",
                    subject_ref=code.ref,
                    expires_at=at + CODE_LIFE,
                )
            ],
            ref=notice_id,
        )

    def ask_fresh(self, request: AskFresh, context: CallContext) -> Done:
        """As `EnvelopeApi.ask_fresh`."""
        found = self._finder.must_find(request.token)
        recipient = self._tools.recipient(found.envelope.contact_id, context)
        if recipient is None:
            raise EnvelopeUnknown
        if _is_stopped(recipient):
            raise RenewalRefused("You asked us not to write to you in this way.")
        tools, envelope_id = self._tools, found.envelope.envelope_id
        return tools.envelopes.run(
            found.stream,
            context,
            lambda envelope, at: decide_renewal(
                envelope,
                at,
                asked_by="recipient",
                state=found.here.state,
                link_hash=lambda generation: hash_of(
                    tools.links.token(envelope_id, generation, "letter")
                ),
                life=tools.life,
            ),
        )


def _is_stopped(recipient: Recipient) -> bool:
    return "all" in recipient.stops or "messages" in recipient.stops
