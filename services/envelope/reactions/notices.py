"""Mailing notices: one-time codes, for as long as they are worth anything."""

from __future__ import annotations

from services.crm.commands import ReadCode
from services.crm.errors import ContactErased, ContactUnknown
from services.envelope.errors import MailUnsafe
from services.envelope.handlers.streams import notice_stream_of
from services.envelope.handlers.tools import Tools
from services.envelope.model.notice import (
    Notice,
    decide_notice_attempt,
    decide_notice_end,
)
from services.envelope.ports import CodeNotice, Composer, Parcel, Relay
from shared.context import service_context


class NoticePost:
    """Mails one notice. The code is read from crm, mailed and forgotten."""

    def __init__(self, tools: Tools, composer: Composer, relay: Relay) -> None:
        """Work with `tools`."""
        self._tools = tools
        self._composer = composer
        self._relay = relay

    def post(self, notice_id: str) -> bool:
        """Do what is due for a notice; False if that is nothing.

        Raises:
            RaceLost: another postman does it.
        """
        notices, stream = self._tools.notices, notice_stream_of(notice_id)
        loaded = notices.load(stream)
        notice, now = loaded.state, notices.now(loaded)
        if not notice.notice_id or notice.over:
            return False
        if now >= notice.expires_at:
            self._end(notice, "expired")
            return True
        if now < notice.next_at:
            return False
        try:
            parcel = self._written(notice)
        except (ContactUnknown, ContactErased, MailUnsafe):
            self._end(notice, "failed")
            return True
        attempt = notice.attempts + 1
        notices.run(
            stream,
            service_context("envelope"),
            lambda state, at: decide_notice_attempt(state, at, attempt=attempt),
        )
        match self._relay.deliver(parcel).outcome:
            case "accepted":
                self._end(notice, "relayed")
            case "rejected":
                self._end(notice, "failed")
            case "deferred":
                pass  # due again after a while, until it expires
        return True

    def _written(self, notice: Notice) -> Parcel:
        mail = self._tools.crm.read_code(
            ReadCode(contact_id=notice.contact_id, code_id=notice.subject_ref),
            service_context("envelope"),
        )
        return self._composer.code(
            CodeNotice(
                message_id=self._tools.links.message_id(notice.notice_id),
                organisation=self._tools.organisation(),
                formal_name=mail.formal_name,
                email=mail.email,
                code=mail.code,
                expires_at=mail.expires_at,
                at=self._tools.clock.now(),
            )
        )

    def _end(self, notice: Notice, outcome: str) -> None:
        self._tools.notices.run(
            notice_stream_of(notice.notice_id),
            service_context("envelope"),
            lambda state, _: decide_notice_end(state, outcome),
        )
