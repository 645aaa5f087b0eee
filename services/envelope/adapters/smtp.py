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
"""For one reply, and for all up to the mail: also a relay that dribbles is cut off."""

VERDICT: Final = timedelta(seconds=60)
"""For the mail and the word on it. Whoever hangs up earlier makes doubles (RFC 1047);
the ten minutes of RFC 5321, 4.5.3.2.6, would keep all other mail waiting."""

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
        verdict: timedelta = VERDICT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Talk to `host`:`port`; `tls` replaces the system's trusted certificates."""
        self._host = host
        self._port = port
        self._step = step.total_seconds()
        self._deadline = deadline.total_seconds()
        self._verdict = verdict.total_seconds()
        self._tls = tls

    def deliver(self, parcel: Parcel) -> RelayAnswer:
        """As `Relay.deliver`."""
        name = parcel.sender.rpartition("@")[2]
        smtp = _Line(self._host, self._step, name)
        stage = _Stage()
        try:
            with self._in_time(smtp, self._deadline):
                answer = self._offer(smtp, parcel, stage)
            if answer is None:
                with self._in_time(smtp, self._verdict):
                    answer = self._hand_over(smtp, parcel, stage)
        except ssl.SSLError:
            return stage.lost("tls_failed")
        except (OSError, smtplib.SMTPException) as error:
            if isinstance(error, TimeoutError) or isinstance(
                error.__context__, TimeoutError
            ):
                return stage.lost("timeout")
            return stage.lost("connection_lost" if stage.greeted else "unreachable")
        else:
            with (
                suppress(OSError, smtplib.SMTPException),
                self._in_time(smtp, self._step),
            ):
                smtp.quit()
            return answer
        finally:
            smtp.close()

    def _offer(
        self, smtp: smtplib.SMTP, parcel: Parcel, stage: _Stage
    ) -> RelayAnswer | None:
        """Return why the relay will not have the mail now; None if it waits for it."""
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
        return None if code == _GO_ON else _refused(code, stage)

    def _hand_over(
        self, smtp: smtplib.SMTP, parcel: Parcel, stage: _Stage
    ) -> RelayAnswer:
        stage.handed_over = True
        if smtp.sock is not None:
            smtp.sock.settimeout(self._verdict)
        smtp.send(_LEADING_DOT.sub(b"..", parcel.content) + b".\r\n")
        code, _ = smtp.getreply()
        if code == _OK:
            return RelayAnswer(outcome="accepted", code=code, tls=stage.tls)
        return _refused(code, stage)

    @contextmanager
    def _in_time(self, smtp: smtplib.SMTP, seconds: float) -> Iterator[None]:
        """Cut the line after so many seconds, whatever either side is doing then."""

        def cut() -> None:
            if smtp.sock is not None:
                with suppress(OSError):
                    smtp.sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, cut)
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
