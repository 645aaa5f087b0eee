"""The pages of the built-in mailbox: what was sent, as a mail program would show it."""

from __future__ import annotations

import re
from typing import Final

from flask import Blueprint, Response, render_template
from markupsafe import Markup, escape

from shared.errors import NotFound
from shared.mailbox import Mail, Mailbox
from shared.web.security import carry_policy

LINK: Final = re.compile(r"https?://[^\s<>\"]{1,500}")
SHOWN: Final = ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted")
FOREIGN: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; object-src 'none'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox "
    "allow-top-navigation-by-user-activation"
)
"""What a mail may do here. Mails style each element, which no hash can allow."""


class MailUnknown(NotFound):
    """There is no such mail here; the mailbox is emptied when the program stops."""

    code = "mail_unknown"


def mailbox_pages(mailbox: Mailbox) -> Blueprint:
    """Build the pages around `mailbox`."""
    pages = Blueprint("mailbox", __name__)

    def find(number: int) -> Mail:
        mail = mailbox.find(number)
        if mail is None:
            raise MailUnknown
        return mail

    @pages.get("/")
    def index() -> str:
        """List the mails, newest first."""
        return render_template("mailbox/index.html", mails=mailbox.mails()[::-1])

    @pages.get("/mail/<int:number>")
    def show(number: int) -> str:
        """Show one mail: headers, text with its links, and its source."""
        mail = find(number)
        return render_template(
            "mailbox/mail.html",
            mail=mail,
            headers=[(name, mail.header(name)) for name in SHOWN if mail.header(name)],
            text=_linked(mail.part("plain")),
            source=mail.source.decode("utf-8", "replace"),
        )

    @pages.get("/mail/<int:number>/html")
    def html(number: int) -> Response:
        """Show the HTML part alone: sandboxed, with its own styles and nothing else."""
        carry_policy(FOREIGN)
        return Response(find(number).part("html"), mimetype="text/html")

    @pages.get("/mail/<int:number>/source")
    def source(number: int) -> Response:
        """Give the mail as it arrived."""
        return Response(find(number).source, mimetype="text/plain")

    return pages


def _linked(text: str) -> Markup:
    parts, at = [], 0
    for match in LINK.finditer(text):
        parts += [
            escape(text[at : match.start()]),
            Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(match.group()),
        ]
        at = match.end()
    return Markup("").join([*parts, escape(text[at:])])
