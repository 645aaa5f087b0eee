"""The pages of the built-in mailbox: what was sent, as a mail program would show it."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from flask import Blueprint, Response, render_template
from markupsafe import Markup, escape

from shared.errors import NotFound
from shared.mailbox import Mail, Mailbox

LINK: Final = re.compile(r"https?://[^\s<>\"]{1,500}")
STYLE: Final = re.compile(r"<style>(.*?)</style>", re.DOTALL)
SHOWN: Final = ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted")


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
            headers=[
                (name, mail.message[name]) for name in SHOWN if mail.message[name]
            ],
            text=_linked(mail.part("plain")),
            source=mail.source.decode("utf-8", "replace"),
        )

    @pages.get("/mail/<int:number>/html")
    def html(number: int) -> Response:
        """Show the HTML part alone, sandboxed; only its own style block applies."""
        part = find(number).part("html")
        hashes = " ".join(f"'sha256-{_digest(block)}'" for block in STYLE.findall(part))
        response = Response(part, mimetype="text/html")
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; style-src {hashes or chr(39) + 'none' + chr(39)}; "
            "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
            "object-src 'none'; sandbox allow-popups allow-popups-to-escape-sandbox "
            "allow-top-navigation-by-user-activation"
        )
        return response

    @pages.get("/mail/<int:number>/source")
    def source(number: int) -> Response:
        """Give the mail as it arrived."""
        return Response(find(number).source, mimetype="text/plain")

    return pages


def _digest(block: str) -> str:
    return base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()


def _linked(text: str) -> Markup:
    parts, at = [], 0
    for match in LINK.finditer(text):
        parts += [
            escape(text[at : match.start()]),
            Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(match.group()),
        ]
        at = match.end()
    return Markup("").join([*parts, escape(text[at:])])
