"""The built-in mailbox takes whatever is handed in, and can show all of it."""

from __future__ import annotations

import pytest

from shared.clock import ManualClock
from shared.mailbox import Mailbox
from shared.web.app import build_app
from shared.web.mailbox import mailbox_pages
from shared.web.settings import WebSettings
from tests.builders import NOON

BASE = "http://127.0.0.1:8402"
HEAD = b"From: a@b.example\r\nTo: c@d.example\r\n"
BROKEN = [
    b"",
    b"no header at all",
    b"Message-ID: <[>\r\nFrom: [@\r\nTo: ,,,;:<>@\r\n\r\n",
    b'Subject: =?utf-8?q?a=0d=0ab?=\r\nFrom: =?x?=\r\nTo: "\r\n\r\nx',
    HEAD + b"Content-Type: text/plain; charset=foo\r\n\r\nhi \xff",
    HEAD + b'Content-Type: text/plain; charset="\xff"\r\n\r\nx',
    HEAD + b"Content-Type: text/html; charset=idna\r\n\r\n\xff\xff",
    HEAD + b"Content-Type: text/html; charset=hex\r\n\r\nzz",
]


@pytest.mark.parametrize("source", BROKEN)
def test_a_broken_mail_is_shown_and_hides_no_other(source: bytes) -> None:
    mailbox = Mailbox(ManualClock(NOON))
    mailbox.take(("c@d.example",), HEAD + b"Subject: a sound one\r\n\r\nx")
    mailbox.take(("c@d.example",), source)
    client = build_app(
        "mailbox",
        settings=WebSettings(site="viewer", base_url=BASE),
        clock=ManualClock(NOON),
        blueprints=[mailbox_pages(mailbox)],
    ).test_client()
    assert "a sound one" in client.get("/", base_url=BASE).text
    for part in ("", "/html", "/source"):
        assert client.get(f"/mail/2{part}", base_url=BASE).status_code == 200


def test_a_mail_keeps_its_layout_and_gets_no_script() -> None:
    mailbox = Mailbox(ManualClock(NOON))
    html = b"Content-Type: text/html\r\n\r\n<p style='color:red'>hi</p>"
    mailbox.take(("c@d.example",), HEAD + html)
    client = build_app(
        "mailbox",
        settings=WebSettings(site="viewer", base_url=BASE),
        clock=ManualClock(NOON),
        blueprints=[mailbox_pages(mailbox)],
    ).test_client()
    policy = client.get("/mail/1/html", base_url=BASE).headers[
        "Content-Security-Policy"
    ]
    assert "default-src 'none'; style-src 'unsafe-inline'" in policy
    assert "sandbox allow-popups" in policy
    assert "script" not in policy
    page = client.get("/mail/1", base_url=BASE)
    assert "'unsafe" not in page.headers["Content-Security-Policy"]
