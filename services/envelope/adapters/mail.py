"""Mails as bytes: checked before they are written, and read back before they leave.

Python 3.11's `email` package has let header values inject headers (CVE-2024-6923,
CVE-2026-1299), so it is not trusted: every value is refused that could be read as more
than it shows, and the finished bytes are parsed again and compared.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any, Final

from typing_extensions import override

from services.envelope.adapters.texts import (
    code_html,
    code_text,
    envelope_html,
    envelope_text,
)
from services.envelope.errors import MailUnsafe
from services.envelope.model.names import is_plain
from services.envelope.ports import CodeNotice, EnvelopeMail, Parcel

LONGEST: Final = 400  # characters of one header value
_LINE: Final = 998  # octets, RFC 5321 section 4.5.3.1.6
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(
    rf"(?=.{{3,254}}\Z){_ATOM}(\.{_ATOM})*@({_LABEL}\.)+{_LABEL}"
)
_WHOLE: Final = frozenset({"message-id", "list-unsubscribe"})
_BARE: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n|\x00")
_STRUCTURE: Final = frozenset({"mime-version", "content-type"})


class _Policy(EmailPolicy):
    """SMTP lines, with identifiers and addresses never folded away from their name."""

    @override
    def fold_binary(self, name: str, value: Any) -> bytes:
        if name.lower() in _WHOLE:
            return f"{name}: {value}\r\n".encode("ascii", "replace")
        return super().fold_binary(name, value)


class MailComposer:
    """As the `Composer` port."""

    def envelope(self, mail: EnvelopeMail) -> Parcel:
        """As `Composer.envelope`.

        List-Unsubscribe names the choices page (RFC 2369). The one-click form of RFC
        8058 is for marketing mails and comes with its route; it is left out here.
        """
        org = mail.organisation
        headers = {
            "Subject": f"A letter for you from {org.name}, reference {mail.reference}",
            "List-Unsubscribe": f"<{mail.choices}>",
        }
        return _parcel(
            sender_name=f"{mail.sender_name} for {org.name}",
            domain=org.sender_domain,
            formal_name=mail.formal_name,
            email=mail.email,
            headers={
                **headers,
                "Message-ID": f"<{mail.message_id}@{org.sender_domain}>",
                "Date": format_datetime(mail.at),
            },
            text=envelope_text(mail),
            html=envelope_html(mail),
        )

    def code(self, notice: CodeNotice) -> Parcel:
        """As `Composer.code`."""
        org = notice.organisation
        return _parcel(
            sender_name=org.name,
            domain=org.sender_domain,
            formal_name=notice.formal_name,
            email=notice.email,
            headers={
                "Subject": f"Your code from {org.name}",
                "Message-ID": f"<{notice.message_id}@{org.sender_domain}>",
                "Date": format_datetime(notice.at),
            },
            text=code_text(notice),
            html=code_html(notice),
        )


def _parcel(
    *,
    sender_name: str,
    domain: str,
    formal_name: str,
    email: str,
    headers: Mapping[str, str],
    text: str,
    html: str,
) -> Parcel:
    sender = f"no-reply@{domain}"
    _refuse_doubtful((sender_name, formal_name, *headers.values()))
    for address in (sender, email):
        if not _ADDRESS.fullmatch(address):
            raise MailUnsafe("An e-mail address is not one that can be mailed to.")
    wanted: dict[str, str | tuple[str, str]] = {
        "From": (sender_name, sender),
        "To": (formal_name, email),
        "Auto-Submitted": "auto-generated",
        **headers,
    }
    message = EmailMessage(policy=_Policy(linesep="\r\n", max_line_length=78))
    for name, value in wanted.items():
        message[name] = (
            value
            if isinstance(value, str)
            else Address(display_name=value[0], addr_spec=value[1])
        )
    message.set_content(text, cte=_encoding(text))
    message.add_alternative(html, subtype="html", cte=_encoding(html))
    message.set_boundary(
        "=_" + hashlib.sha256(headers["Message-ID"].encode()).hexdigest()
    )
    content = message.as_bytes()
    _compare(content, wanted, text, html)
    return Parcel(sender=sender, recipient=email, content=content)


def _refuse_doubtful(values: tuple[str, ...]) -> None:
    for value in values:
        if not value.strip() or len(value) > LONGEST or not is_plain(value):
            raise MailUnsafe("A name or detail cannot stand in the head of a mail.")


def _encoding(text: str) -> str:
    return "7bit" if text.isascii() else "quoted-printable"


def _compare(
    content: bytes, wanted: Mapping[str, str | tuple[str, str]], text: str, html: str
) -> None:
    """Refuse bytes that a reader would take for another mail than was meant."""
    longest = max(map(len, content.split(b"\r\n")))
    if _BARE.search(content) or not content.isascii() or longest > _LINE:
        raise MailUnsafe("The mail would not keep its shape on the wire.")
    read = message_from_bytes(content, policy=EmailPolicy())
    names = sorted(name.lower() for name in read.keys())  # noqa: SIM118  # with repeats
    if names != sorted([*(name.lower() for name in wanted), *_STRUCTURE]):
        raise MailUnsafe("The mail would have other headers than it should.")
    for name, value in wanted.items():
        if _meaning(read, name) != (
            value if isinstance(value, tuple) else " ".join(value.split())
        ):
            raise MailUnsafe(f"The header {name} would read differently.")
    parts = [part for part in read.walk() if not part.is_multipart()]
    kinds = [part.get_content_type() for part in parts]
    if kinds != ["text/plain", "text/html"] or any(
        part.get_content().replace("\r\n", "\n") != meant
        for part, meant in zip(parts, (text, html), strict=True)
    ):
        raise MailUnsafe("The body of the mail would read differently.")


def _meaning(read: EmailMessage, name: str) -> str | tuple[str, str]:
    header = read[name]
    if name in ("From", "To"):
        if len(header.addresses) != 1 or header.defects:
            raise MailUnsafe(f"The header {name} would not name exactly one person.")
        only = header.addresses[0]
        return (only.display_name, only.addr_spec)
    return " ".join(str(header).split())
