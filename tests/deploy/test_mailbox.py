"""The mail catcher of a container takes mail over TLS, and none in the clear."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy import prepare
from deploy.image.mailbox import catcher
from shared.clock import ManualClock
from shared.mailbox import Mailbox
from tests.ports import a_quiet_port
from tests.waiting import LONG

pytestmark = pytest.mark.integration


@pytest.fixture
def caught(tmp_path: Path) -> Iterator[tuple[Mailbox, int, Path]]:
    prepare.prepare(tmp_path / "secrets")
    mailbox = Mailbox(ManualClock(datetime(2026, 3, 2, tzinfo=UTC)))
    port = a_quiet_port()
    tls = tmp_path / "secrets" / "tls" / "mailbox"
    server = catcher(mailbox, "127.0.0.1", port, tls)
    server.start()
    yield mailbox, port, tmp_path / "secrets" / "ca.crt"
    server.stop()


def test_mail_is_kept_once_the_line_is_encrypted(
    caught: tuple[Mailbox, int, Path],
) -> None:
    mailbox, port, ca = caught
    with (
        smtplib.SMTP("127.0.0.1", port, timeout=LONG) as line,
        pytest.raises(smtplib.SMTPSenderRefused),
    ):
        line.sendmail("a@example.org", ["b@example.org"], "Subject: x\r\n\r\nx")
    with smtplib.SMTP("127.0.0.1", port, timeout=LONG) as line:
        trust = ssl.create_default_context(cafile=ca)
        line._host = "mailbox"  # the name it is called by in its network
        line.starttls(context=trust)
        line.sendmail("a@example.org", ["b@example.org"], "Subject: x\r\n\r\nx")
    assert [mail.recipients for mail in mailbox.mails()] == [("b@example.org",)]
