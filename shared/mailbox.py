"""The built-in mailbox: takes every mail over SMTP and keeps it in memory only.

For trying out and for tests. It delivers nothing to anybody.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from shared.clock import Clock

KEPT: Final = 500  # mails; older ones are let go
LARGEST: Final = 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail as it arrived."""

    number: int  # from 1
    received_at: datetime
    recipients: tuple[str, ...]  # of the SMTP envelope
    source: bytes

    @property
    def message(self) -> EmailMessage:
        """Return the parsed mail."""
        return message_from_bytes(self.source, policy=policy.SMTP)

    def header(self, name: str) -> str:
        """Return a header as text; "" if it is missing or cannot be read.

        Any program on this machine may hand in a mail, also a broken one.
        """
        try:
            return str(self.message[name] or "")
        except (ValueError, LookupError, AttributeError, TypeError):
            return ""  # the standard library stumbles over some malformed headers

    def part(self, kind: str) -> str:
        """Return the text of the `plain` or `html` part; "" if there is none."""
        body = self.message.get_body((kind,))
        if body is None:
            return ""
        try:
            return str(body.get_content())
        except (ValueError, LookupError):  # the mail names an alphabet nobody knows
            raw = body.get_payload(decode=True)
            return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else ""


class Mailbox:
    """Keeps what came in, newest last, up to 500 mails."""

    def __init__(self, clock: Clock) -> None:
        """Start empty."""
        self._clock = clock
        self._mails: deque[Mail] = deque(maxlen=KEPT)
        self._count = 0
        self._changed = threading.Condition()

    def take(self, recipients: tuple[str, ...], source: bytes) -> None:
        """Keep one mail."""
        with self._changed:
            self._count += 1
            self._mails.append(
                Mail(
                    number=self._count,
                    received_at=self._clock.now(),
                    recipients=recipients,
                    source=source,
                )
            )
            self._changed.notify_all()

    def mails(self) -> list[Mail]:
        """Return what is kept, oldest first."""
        with self._changed:
            return list(self._mails)

    def find(self, number: int) -> Mail | None:
        """Return one mail, or None if it is not kept."""
        return next((mail for mail in self.mails() if mail.number == number), None)

    def wait_for(self, wanted: Callable[[Mail], bool], timeout: float) -> Mail | None:
        """Return the newest mail that is `wanted`, waiting up to `timeout` seconds."""
        found: list[Mail] = []

        def look() -> bool:
            found[:] = [mail for mail in self._mails if wanted(mail)][-1:]
            return bool(found)

        with self._changed:
            self._changed.wait_for(look, timeout)
        return found[0] if found else None


class MailSink:
    """The SMTP side of a mailbox, on loopback, in a thread of its own."""

    def __init__(self, mailbox: Mailbox, port: int) -> None:
        """Prepare to listen on 127.0.0.1; nothing is opened yet."""
        self._controller = Controller(
            _Handler(mailbox),
            hostname="127.0.0.1",
            port=port,
            data_size_limit=LARGEST,
            ident="letterlock mailbox",
        )

    def start(self) -> None:
        """Listen; returns when connections are taken."""
        self._controller.start()

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()


class _Handler:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(  # noqa: N802 - the name aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail and accept it."""
        del server, session
        content = envelope.original_content or b""
        self._mailbox.take(tuple(envelope.rcpt_tos), content)
        return "250 2.0.0 kept in the mailbox"
