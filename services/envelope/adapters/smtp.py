"""The door to the mail relay: SMTP, one recipient, one answer, within a deadline."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final

from services.envelope.model.state import NO_REPLY
from services.envelope.ports import Parcel, RelayAnswer

STEP: Final = timedelta(seconds=10)
DEADLINE: Final = timedelta(seconds=30)
"""For one reply, and for all of it: also a relay that dribbles is cut off."""

_OK, _GO_ON, _LATER, _NEVER, _LAST = 250, 354, 400, 500, 599
_LEADING_DOT: Final = re.compile(rb"(?m)^\.")
_REASONS: Final = {421: "relay_busy", 450: "greylisted", 451: "greylisted"}


class SmtpRelay:
    """As the `Relay` port.

    TLS is used whenever the relay offers it, with its certificate checked; if that
    fails the mail waits, and does not go in the clear.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        step: timedelta = STEP,
        deadline: timedelta = DEADLINE,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Talk to `host`:`port`; `tls` replaces the system's trusted certificates."""
        self._host = host
        self._port = port
        self._step = step.total_seconds()
        self._deadline = deadline.total_seconds()
        self._tls = tls

    def deliver(self, parcel: Parcel) -> RelayAnswer:
        """As `Relay.deliver`."""
        name = parcel.sender.rpartition("@")[2]
        smtp = _Line(self._host, self._step, name)
        stage = _Stage()
        try:
            with self._in_time(smtp):
                answer = self._talk(smtp, parcel, stage)
                with suppress(OSError, smtplib.SMTPException):
                    smtp.quit()
                return answer
        except ssl.SSLError:
            return stage.lost("tls_failed")
        except (OSError, smtplib.SMTPException) as error:
            if isinstance(error, TimeoutError) or isinstance(
                error.__context__, TimeoutError
            ):
                return stage.lost("timeout")
            return stage.lost("connection_lost" if stage.greeted else "unreachable")
        finally:
            smtp.close()

    def _talk(self, smtp: smtplib.SMTP, parcel: Parcel, stage: _Stage) -> RelayAnswer:
        code, _ = smtp.connect(self._host, self._port)
        if code != 220:  # noqa: PLR2004  # the one good greeting, RFC 5321
            return _refused(code, stage)
        stage.greeted = True
        smtp.ehlo_or_helo_if_needed()
        if smtp.has_extn("starttls"):
            smtp.starttls(context=self._tls or ssl.create_default_context())
            smtp.ehlo()
            stage.tls = True
        for code, _ in (
            smtp.mail(parcel.sender),
            smtp.rcpt(parcel.recipient),
        ):
            if code != _OK:
                return _refused(code, stage)
        code, _ = smtp.docmd("DATA")
        if code != _GO_ON:
            return _refused(code, stage)
        stage.handed_over = True
        smtp.send(_LEADING_DOT.sub(b"..", parcel.content) + b".\r\n")
        code, _ = smtp.getreply()
        if code == _OK:
            return RelayAnswer(outcome="accepted", code=code, tls=stage.tls)
        return _refused(code, stage)

    @contextmanager
    def _in_time(self, smtp: smtplib.SMTP) -> Iterator[None]:
        """Cut the line at the deadline, whatever either side is doing then."""

        def cut() -> None:
            if smtp.sock is not None:
                with suppress(OSError):
                    smtp.sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self._deadline, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


class _Line(smtplib.SMTP):
    """A line that knows whose certificate to expect before it is connected."""

    def __init__(self, host: str, timeout: float, own_name: str) -> None:
        super().__init__(timeout=timeout, local_hostname=own_name)
        self._host = host


class _Stage:
    """How far the talk has come."""

    def __init__(self) -> None:
        self.greeted = False
        self.tls = False
        self.handed_over = False

    def lost(self, reason: str) -> RelayAnswer:
        """Answer for a line that broke: after DATA nobody knows what the relay did."""
        known = NO_REPLY if self.handed_over else reason
        return RelayAnswer(outcome="deferred", reason=known, tls=self.tls)


def _refused(code: int, stage: _Stage) -> RelayAnswer:
    """Answer for a reply that is not the good one (RFC 5321, section 4.2.1)."""
    if _NEVER <= code <= _LAST:
        return RelayAnswer(
            outcome="rejected", reason="rejected", code=code, tls=stage.tls
        )
    if _LATER <= code < _NEVER:
        reason = _REASONS.get(code, "deferred")
        return RelayAnswer(outcome="deferred", reason=reason, code=code, tls=stage.tls)
    return stage.lost("unclear_reply")
