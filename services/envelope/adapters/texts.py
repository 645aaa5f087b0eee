"""The words of the mails. They never hold a word of the letter."""

from __future__ import annotations

from html import escape
from typing import Final

from services.envelope.api import Organisation
from services.envelope.model.words import in_words
from services.envelope.ports import CodeNotice, EnvelopeMail

ASKED: Final = {
    "family_name": "your family name",
    "postcode": "your postcode",
    "birth_date": "your date of birth",
    "customer_reference": "your customer reference",
    "request_number": "the number of your request",
    "code": "a code, which we mail to this address when you ask for it",
}
"""How each check is named to the recipient."""

_FONT: Final = "font-family:Georgia,'Times New Roman',serif"
_SANS: Final = "font-family:Arial,Helvetica,sans-serif"
_INK, _SOFT, _LINE, _SEAL = "#17202e", "#4d5563", "#d5d3cd", "#96192b"


def envelope_text(mail: EnvelopeMail) -> str:
    """Return an envelope as plain text, its one letter link on a line of its own."""
    org = mail.organisation
    return f"""\
Dear {mail.formal_name}

A letter is waiting for you.
{mail.sender_name} of {org.name} sent it to you.

Read it here:
{mail.link}

The link works until {in_words(mail.expires_at)}.
You will be asked to type {ASKED[mail.check]}.

Is this genuine? Do not follow the link if you are in doubt.
Type this address into your browser by hand:
{mail.viewer}
or ring us on {org.help_phone} and quote {mail.reference}.

Reference: {mail.reference}
Please do not reply: nobody reads replies to this address.
You may delete this message when you have read the letter.

--
{_imprint(org)}
Choose how we contact you: {mail.choices}
Privacy: {org.privacy_url}
"""


def envelope_html(mail: EnvelopeMail) -> str:
    """Return the same as simple HTML: no image, no script, nothing from elsewhere."""
    org = mail.organisation
    rows = (
        ("Sent by", f"{mail.sender_name}, {org.name}"),
        ("Works until", in_words(mail.expires_at)),
        ("You will type", ASKED[mail.check]),
        ("Reference", mail.reference),
    )
    facts = "\n".join(
        f'<tr><td style="padding:4px 16px 4px 0;color:{_SOFT};vertical-align:top">'
        f'{escape(name)}</td>\n<td style="padding:4px 0">{escape(value)}</td></tr>'
        for name, value in rows
    )
    body = f"""\
<p style="margin:0 0 16px">Dear {escape(mail.formal_name)}</p>
<p style="margin:0 0 24px">A letter is waiting for you.</p>
<p style="margin:0 0 24px"><a href="{escape(mail.link)}"
style="{_SANS};display:inline-block;padding:12px 24px;
background:{_SEAL};color:#ffffff;text-decoration:none;border-radius:3px">
Read the letter</a></p>
<table role="presentation" style="{_SANS};font-size:15px;border-collapse:collapse">
{facts}
</table>
<p style="{_SANS};margin:24px 0 8px;font-size:15px"><strong>Is this genuine?</strong>
Do not follow the link if you are in doubt. Type <strong>{escape(mail.viewer)}</strong>
into your browser by hand, or ring us on {escape(org.help_phone)}
and quote the reference.</p>
<p style="{_SANS};margin:0;font-size:15px">Please do not reply: nobody reads replies
to this address. You may delete this message when you have read the letter.</p>"""
    foot = f"""\
{escape(_imprint(org)).replace(chr(10), "<br>")}<br>
<a href="{escape(mail.choices)}" style="color:{_SOFT}">Choose how we contact you</a>
&nbsp;&middot;&nbsp;
<a href="{escape(org.privacy_url)}" style="color:{_SOFT}">Privacy</a>"""
    return _page(org.name, body, foot)


def code_text(notice: CodeNotice) -> str:
    """Return the mail with a one-time code as plain text."""
    org = notice.organisation
    return f"""\
Dear {notice.formal_name}

Your code is {notice.code}, valid until {notice.expires_at:%H:%M} UTC.
Type it on the page where you asked for it, in the same browser.

We never ask for this code by telephone or mail. If you did not ask for it, you
need not do anything; somebody may have opened a message that was meant for you.
Questions: {org.help_phone}
Please do not reply: nobody reads replies to this address.

--
{org.name}
Privacy: {org.privacy_url}
"""


def code_html(notice: CodeNotice) -> str:
    """Return the same as simple HTML."""
    org = notice.organisation
    body = f"""\
<p style="margin:0 0 16px">Dear {escape(notice.formal_name)}</p>
<p style="margin:0 0 8px">Your code, valid until
{notice.expires_at:%H:%M} UTC:</p>
<p style="{_SANS};margin:0 0 24px;font-size:32px;letter-spacing:4px">
<strong>{escape(notice.code)}</strong></p>
<p style="{_SANS};margin:0 0 8px;font-size:15px">Type it on the page where you asked
for it, in the same browser. We never ask for this code by telephone or mail.</p>
<p style="{_SANS};margin:0;font-size:15px">If you did not ask for it, you need not do
anything. Questions: {escape(org.help_phone)}. Please do not reply: nobody reads
replies to this address.</p>"""
    foot = f'<a href="{escape(org.privacy_url)}" style="color:{_SOFT}">Privacy</a>'
    return _page(org.name, body, foot)


def _imprint(org: Organisation) -> str:
    """Return who the organisation is, a line each; what is not known is left out."""
    number = org.registered_number and f"Registered number {org.registered_number}"
    return "\n".join(filter(None, (org.name, number, org.registered_office)))


def _page(organisation: str, body: str, foot: str) -> str:
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{escape(organisation)}</title></head>
<body style="margin:0;padding:24px 12px;background:#f3f2ef;color:{_INK};
{_FONT};font-size:18px;line-height:1.5">
<div style="max-width:560px;margin:0 auto;padding:32px;background:#ffffff;
border:1px solid {_LINE};border-top:4px solid {_SEAL}">
<p style="{_SANS};margin:0 0 24px;font-size:15px;color:{_SOFT}">
{escape(organisation)}</p>
{body}
</div>
<p style="{_SANS};max-width:560px;margin:16px auto 0;font-size:13px;color:{_SOFT}">
{foot}</p>
</body>
</html>
"""
