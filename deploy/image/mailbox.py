"""The mail catcher as a process of its own: SMTP with TLS, and a page to read it on.

Takes every mail, keeps 500 in memory, delivers none. For trying out, never for real.
Certificate and key lie in /run/letterlock/tls; the page is https://localhost:8402.
"""

from __future__ import annotations

import signal
import ssl
from pathlib import Path
from typing import Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from shared.clock import SystemClock
from shared.mailbox import LARGEST, Mailbox
from shared.web.app import build_app
from shared.web.mailbox import mailbox_pages
from shared.web.server import WebServer
from shared.web.settings import WebSettings

TLS: Final = Path("/run/letterlock/tls")
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104  # a container's own address; the network says who may come
SMTP_PORT: Final = 8425
PAGE_PORT: Final = 8402


class Catcher:
    """Keeps mail that arrived encrypted."""

    def __init__(self, mailbox: Mailbox) -> None:
        """Put what comes into `mailbox`."""
        self._mailbox = mailbox

    async def handle_DATA(  # noqa: N802  # the name aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail and accept it."""
        del server, session
        content = envelope.original_content or b""
        self._mailbox.take(tuple(envelope.rcpt_tos), content)
        return "250 2.0.0 kept in the mailbox"


def catcher(mailbox: Mailbox, host: str, port: int, folder: Path) -> Controller:
    """Return an SMTP server that takes mail over TLS only; it is not started yet."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return Controller(
        Catcher(mailbox),
        hostname=host,
        port=port,
        data_size_limit=LARGEST,
        ident="letterlock mailbox",
        tls_context=tls,
        require_starttls=True,
    )


def main() -> None:
    """Run until told to stop."""
    clock = SystemClock()
    mailbox = Mailbox(clock)
    address = f"https://localhost:{PAGE_PORT}"
    app = build_app(
        "mailbox",
        settings=WebSettings(site="viewer", base_url=address, tls=True),
        clock=clock,
        blueprints=[mailbox_pages(mailbox)],
    )
    pages = WebServer(
        app, EVERYWHERE, PAGE_PORT, certificate=TLS / "tls.crt", key=TLS / "tls.key"
    )
    mail = catcher(mailbox, EVERYWHERE, SMTP_PORT, TLS)
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)  # before any thread is made
    mail.start()
    pages.start()
    signal.sigwait(stop)
    pages.stop()
    mail.stop()


if __name__ == "__main__":
    main()
