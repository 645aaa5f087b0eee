"""The door to the mail relay, against a relay that does what the test tells it."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from services.envelope.adapters import smtp
from services.envelope.adapters.mail import MailComposer
from services.envelope.adapters.smtp import DEADLINE, VERDICT, SmtpRelay
from services.envelope.model.relay import LEASE
from services.envelope.ports import Parcel
from tests.ports import a_quiet_port
from tests.unit.envelope.test_mail import MAIL
from tests.waiting import AT_ONCE, LONG, until

pytestmark = pytest.mark.integration
STEP = timedelta(seconds=LONG)


@dataclass
class Script:
    """Answers as told, and remembers what came."""

    mail: str = "250 OK"
    rcpt: str = "250 OK"
    data: str = "250 OK"
    thinks: float = 0.0  # s before the word on the mail
    recipients: list[list[str]] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _: list
    ) -> str:
        envelope.mail_from = address
        return self.mail

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _: list
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(  # noqa: N802  # aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.recipients.append(list(envelope.rcpt_tos))
        self.contents.append(envelope.original_content or b"")
        await asyncio.sleep(self.thinks)
        if self.data == "drop":
            server.transport.close()
            await asyncio.sleep(0)
        return self.data


@contextmanager
def relay(script: Script) -> Iterator[SmtpRelay]:
    controller = Controller(script, hostname="127.0.0.1", port=a_quiet_port())
    controller.start()
    try:
        yield SmtpRelay("127.0.0.1", controller.port, step=STEP)
    finally:
        controller.stop(no_assert=True)


def a_parcel() -> Parcel:
    return MailComposer().envelope(MAIL)


def test_a_mail_is_accepted_for_one_recipient() -> None:
    script = Script()
    with relay(script) as door:
        answer = door.deliver(a_parcel())
    assert (answer.outcome, answer.code, answer.tls) == ("accepted", 250, False)
    assert script.recipients == [["tom.jones@example.com"]]
    assert script.contents == [a_parcel().content]


@pytest.mark.parametrize(
    ("place", "reply", "outcome", "reason", "code"),
    [
        ("mail", "421 closing", "deferred", "relay_busy", 421),
        ("rcpt", "450 busy", "deferred", "greylisted", 450),
        ("rcpt", "451 greylisted", "deferred", "greylisted", 451),
        ("data", "452 full", "deferred", "deferred", 452),
        ("rcpt", "550 no such user", "rejected", "rejected", 550),
        ("data", "552 too big", "rejected", "rejected", 552),
        ("data", "554 refused", "rejected", "rejected", 554),
        ("data", "drop", "deferred", "no_reply", None),
    ],
)
def test_every_reply_has_its_meaning(
    place: str, reply: str, outcome: str, reason: str, code: int | None
) -> None:
    with relay(Script(**{place: reply})) as door:
        answer = door.deliver(a_parcel())
    assert (answer.outcome, answer.reason, answer.code) == (outcome, reason, code)


def test_lines_that_begin_with_a_dot_arrive_whole() -> None:
    script = Script()
    content = b"Subject: x\r\n\r\n.\r\n..\r\n.hidden\r\nRCPT TO:<eve@x.example>\r\n"
    parcel = Parcel(
        sender="no-reply@a.example", recipient="tom@b.example", content=content
    )
    with relay(script) as door:
        assert door.deliver(parcel).outcome == "accepted"
    assert script.contents == [content]
    assert script.recipients == [["tom@b.example"]]


def test_a_relay_that_is_not_there_is_unreachable() -> None:
    answer = SmtpRelay("127.0.0.1", a_quiet_port(), step=STEP).deliver(a_parcel())
    assert (answer.outcome, answer.reason) == ("deferred", "unreachable")


def talking(lines: list[bytes], *, pause: float = 0.0) -> int:
    """Start a server that says its lines to one caller, byte by byte if slow."""
    server = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        with server, suppress(OSError), server.accept()[0] as line:
            line.settimeout(LONG)
            for words in lines:
                for byte in words:
                    line.sendall(bytes([byte]))
                    time.sleep(pause)
                line.recv(65536)

    threading.Thread(target=talk, daemon=True).start()
    return int(server.getsockname()[1])


def test_a_silent_relay_times_out() -> None:
    port = talking([b""])
    door = SmtpRelay("127.0.0.1", port, step=timedelta(seconds=0.3))
    answer = door.deliver(a_parcel())
    assert (answer.outcome, answer.reason) == ("deferred", "timeout")


def test_a_dribbling_relay_is_cut_off_at_the_deadline() -> None:
    port = talking([b"220 " + b"x" * 1200], pause=0.05)  # for a minute
    door = SmtpRelay("127.0.0.1", port, step=STEP, deadline=timedelta(seconds=0.5))
    begun = time.monotonic()
    answer = door.deliver(a_parcel())
    assert time.monotonic() - begun < AT_ONCE
    assert answer.outcome == "deferred"


def test_the_word_on_a_mail_is_waited_for_longer_than_all_before_it() -> None:
    short = timedelta(seconds=0.4)
    with relay(Script(thinks=1.0)) as door:
        hasty = SmtpRelay("127.0.0.1", door._port, step=short, deadline=short)
        until(lambda: hasty.deliver(a_parcel()).outcome == "accepted", "the word")
        hasty = SmtpRelay("127.0.0.1", door._port, step=STEP, verdict=short)
        answer = hasty.deliver(a_parcel())
    assert (answer.outcome, answer.reason) == ("deferred", "no_reply")


def test_another_postman_waits_until_a_talk_is_over_in_any_case() -> None:
    assert LEASE > DEADLINE + VERDICT + smtp.STEP


def test_a_broken_starttls_never_falls_back_to_the_clear() -> None:
    port = talking(
        [b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"220 go\r\n", b"not TLS\r\n"]
    )
    answer = SmtpRelay("127.0.0.1", port, step=STEP).deliver(a_parcel())
    assert (answer.outcome, answer.reason) == ("deferred", "tls_failed")


def test_a_relay_that_greets_with_a_refusal_is_heard() -> None:
    port = talking([b"554 go away\r\n"])
    answer = SmtpRelay("127.0.0.1", port, step=STEP).deliver(a_parcel())
    assert (answer.outcome, answer.code) == ("rejected", 554)


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return contexts of a relay on 127.0.0.1, and of a caller who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    local = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([local]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "relay.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + made.public_bytes(Encoding.PEM)
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=pem)


def test_tls_is_used_when_offered_and_its_certificate_is_checked(
    tmp_path: Path,
) -> None:
    server, trusting = certificate(tmp_path)
    script = Script()
    controller = Controller(
        script,
        hostname="127.0.0.1",
        port=a_quiet_port(),
        tls_context=server,
        require_starttls=True,
    )
    controller.start()
    try:
        door = SmtpRelay("127.0.0.1", controller.port, step=STEP, tls=trusting)
        answer = door.deliver(a_parcel())
        assert (answer.outcome, answer.tls) == ("accepted", True)
        stranger = SmtpRelay("127.0.0.1", controller.port, step=STEP)
        answer = stranger.deliver(a_parcel())
        assert (answer.outcome, answer.reason) == ("deferred", "tls_failed")
    finally:
        controller.stop(no_assert=True)
    assert len(script.contents) == 1
