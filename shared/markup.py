"""Markdown to a safe fragment of HTML, and the one way a value gets into it.

The door to markdown-it and nh3. A letter is parsed, sanitised to a short list of tags,
and only then merged; a value is text and stays text. The placeholder grammar has no
logic: `{{name}}` or `{{part.name}}`, everything else is left as it was written.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Mapping, Sequence
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from typing_extensions import override

from shared.errors import Malformed

MAX_BYTES: Final = 100_000  # of Markdown, as UTF-8
MAX_HTML: Final = 1_000_000  # characters of what becomes of it
TAGS: Final = frozenset(
    [
        "h2",
        "h3",
        "p",
        "ul",
        "ol",
        "li",
        "strong",
        "em",
        "a",
        "blockquote",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "br",
        "hr",
    ]
)
ATTRIBUTES: Final = {"*": (), "a": ("href",), "th": ("scope",)}
REL: Final = "noopener noreferrer nofollow"

_OFF: Final = ("image", "code", "fence", "backticks", "html_block", "html_inline")
_LINK: Final = re.compile(
    r"https://[a-z0-9](?:[a-z0-9.-]{0,251})(?::[0-9]{1,5})?(?:[/?#][^\s<>\"'\\{}]*)?",
    re.IGNORECASE,
)
_NAME: Final = r"[a-z][a-z0-9_]{0,39}(?:\.[a-z][a-z0-9_]{0,39})?"
_PIECE: Final = re.compile(
    r"(?P<tag><[^<>]*>)|(?<!\{)\{\{ {0,3}(?P<name>" + _NAME + r") {0,3}\}\}(?!\})"
)
_HREF: Final = re.compile(r"<a [^<>]*href=\"([^\"<>]*)\"")
_LINE_END: Final = re.compile(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")


class MarkupTooLarge(Malformed):
    """The text is longer than a letter may be."""

    code = "markup_too_large"
    hint = "Shorten the text; a letter holds at most 100,000 bytes."


def to_html(markdown: str) -> str:
    """Return the HTML of a text: CommonMark and tables, of the tags in `TAGS` only.

    Headings begin at h2, because the letter's title is its h1. Links lead to https
    addresses or stay text; images, code and HTML stay text. Placeholders stay as they
    are. The same text always gives the same HTML.

    Raises:
        MarkupTooLarge: more than 100,000 bytes, or a million characters of HTML. No
            other input is refused.

    Cost:
        Linear in the length; at most about a second at full length.
    """
    text = markdown.encode("utf-8", "replace")
    if len(text) > MAX_BYTES:
        raise MarkupTooLarge
    parser = _Letter("commonmark", {"html": False, "linkify": False})
    parser.enable("table").disable(_OFF)
    tokens = parser.parse(text.decode("utf-8"))
    _fit(tokens)
    rendered = str(parser.renderer.render(tokens, parser.options, {}))
    if len(rendered) > MAX_HTML:
        raise MarkupTooLarge
    return nh3.clean(
        rendered,
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=_attribute,
        link_rel=REL,
        url_schemes={"https"},
        generic_attribute_prefixes=set(),
    )


def placeholders(markdown: str) -> tuple[str, ...]:
    """Return the names of the placeholders of a text, each once, in order.

    Raises:
        MarkupTooLarge: as `to_html`.
    """
    return names_in(to_html(markdown))


def names_in(html: str) -> tuple[str, ...]:
    """Return the names of the placeholders of a fragment, each once, in order."""
    found = (match["name"] for match in _PIECE.finditer(html))
    return tuple(dict.fromkeys(name for name in found if name is not None))


def linked_braces(html: str) -> bool:
    """Say whether a link's address holds what looks like a placeholder.

    It is never filled in; whoever wrote it must be told.
    """
    return any("%7b%7b" in href.lower() for href in _HREF.findall(html))


def merge(
    html: str,
    values: Mapping[str, str],
    *,
    mark_gaps: bool = False,
    mark_values: bool = False,
) -> tuple[str, tuple[str, ...]]:
    """Return the fragment with its values, and the names that had none.

    Args:
        html: a fragment from `to_html`.
        values: name -> plain text. It is escaped, line ends become `<br>`, and it is
            not looked at again: a value holds neither markup nor placeholders.
        mark_gaps: show a name without value as `<mark class="gap">`; else it is left
            as it is, and must not be sent.
        mark_values: show every value as `<mark class="sample">`, for previews.

    Cost:
        One pass over the fragment.
    """
    gaps: dict[str, None] = {}

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return match[0]
        value = values.get(name)
        if value is None:
            gaps[name] = None
            return f'<mark class="gap">{match[0]}</mark>' if mark_gaps else match[0]
        shown = escaped(value)
        return f'<mark class="sample">{shown}</mark>' if mark_values else shown

    return _PIECE.sub(fill, html), tuple(gaps)


def escaped(value: str) -> str:
    """Return a value as HTML text: every special character escaped, lines by `<br>`."""
    text = value.encode("utf-8", "replace").decode("utf-8")
    return _LINE_END.sub("<br>", entities.escape(text, quote=True))


class _Letter(MarkdownIt):
    """CommonMark whose links lead to https addresses only."""

    @override
    def validateLink(self, url: str) -> bool:
        return _LINK.fullmatch(url) is not None


def _fit(tokens: Sequence[Token]) -> None:
    """Demote headings to h2 and h3, and say that a table's heads are of columns."""
    levels = sorted({t.tag for t in tokens if t.type == "heading_open"})
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = "h2" if token.tag == levels[0] else "h3"
        elif token.type == "th_open":
            token.attrs = {"scope": "col"}


def _attribute(tag: str, name: str, value: str) -> str | None:
    if (tag, name) == ("a", "href"):
        return value if _LINK.fullmatch(value) else None
    return value if (tag, name) in {("a", "rel"), ("th", "scope")} else None
