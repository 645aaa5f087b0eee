"""What an author types becomes a safe fragment, and a value stays a value."""

from __future__ import annotations

import itertools
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from shared.markup import (
    MAX_BYTES,
    MAX_HTML,
    MarkupTooLarge,
    linked_braces,
    merge,
    placeholders,
    to_html,
)

ALLOWED = {
    "h2", "h3", "p", "ul", "ol", "li", "strong", "em", "a", "blockquote", "table",
    "thead", "tbody", "tr", "th", "td", "br", "hr",
}  # fmt: skip
REL = "noopener noreferrer nofollow"


class Reader(HTMLParser):
    """Reads a fragment as a browser would, and collects what is in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.strange: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    @override
    def handle_data(self, data: str) -> None:
        self.text += data

    @override
    def handle_comment(self, data: str) -> None:
        self.strange.append(data)

    @override
    def handle_decl(self, decl: str) -> None:
        self.strange.append(decl)

    @override
    def handle_pi(self, data: str) -> None:
        self.strange.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def assert_safe(html: str, *, more: frozenset[str] = frozenset()) -> None:
    found = read(html)
    assert not found.strange
    for tag, attrs in found.tags:
        assert tag in ALLOWED | more, (tag, html)
        if tag == "a":
            assert set(attrs) <= {"href", "rel"}
            assert attrs.get("rel") == REL
            assert (attrs.get("href") or "https://").startswith("https://")
        elif tag == "th":
            assert set(attrs) <= {"scope"}
        elif tag == "mark":
            assert attrs in ({"class": "gap"}, {"class": "sample"})
        else:
            assert not attrs, (tag, attrs)


SCHEMES = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)",
    "java\nscript:alert(1)", " javascript:alert(1)", "&#106;avascript:alert(1)",
    "javascript&colon;alert(1)", "&#x6A;&#x61;vascript:alert(1)", "\x01javascript:1",
    "data:text/html,<script>alert(1)</script>", "data:image/svg+xml;base64,PHN2Zz4=",
    "vbscript:msgbox(1)", "file:///etc/passwd", "http://plain.example/",
    "//evil.example/", "/relative", "#fragment", "mailto:a@b.example", "blob:1",
    "https:evil", "https:/evil", "https://user:pw@evil.example/", "HTTPS://",
    "https://a.example@evil.example/", "https://a.example\\@evil.example",
    "feed:javascript:alert(1)", "jar:https://a!/", "ws://a.example", "%6aavascript:1",
    "https://\u202egro.elpmaxe", "javascript://a.example/%0aalert(1)", "tel:+1",
]  # fmt: skip
LINKS = [
    "[x]({})", "[x](<{}>)", "[x]({} 'title\" onmouseover=alert(1) x=\"')", "<{}>",
    "![x]({})", "[![x]({0})]({0})", "[x]: {}\n\n[x]", '<a href="{}">x</a>',
    "<img src='{}' onerror=alert(1)>", '<iframe src="{}"></iframe>',
    "<svg><a xlink:href='{}'>x</a></svg>", "| a |\n|---|\n| [x]({}) |",
    "> - [x]({})", '[x]({} "a")', "# [x]({})",
]  # fmt: skip
RAW = [
    "<script>alert(1)</script>", "<SCRIPT/XSS SRC=//e.example/a.js></SCRIPT>",
    "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<svg><script>1</script>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<form action=javascript:alert(1)><input type=submit>", "<style>@import'x'</style>",
    "<details open ontoggle=alert(1)>", "<body onload=alert(1)>", "<!--><img src=x>-->",
    "<![CDATA[<script>alert(1)</script>]]>", "<?xml version='1.0'?>", "<!DOCTYPE x>",
    "<iframe srcdoc='<script>alert(1)</script>'>", "<base href=//e.example>",
    "<meta http-equiv=refresh content='0;url=javascript:1'>", "<object data=x>",
    "<embed src=x>", "<link rel=stylesheet href=x>", "<video><source onerror=1>",
    "<template><script>1</script></template>", "<isindex action=j&Tab;avascript:1>",
    "<a href=https://a.example onclick=alert(1)>x</a>", "<p style=color:red>x</p>",
    "<textarea></textarea><img src=x>", "<xmp><img src=x></xmp>", "<plaintext>",
    "&lt;script&gt;alert(1)&lt;/script&gt;", "\uff1cscript\uff1e", "<scr\x00ipt>",
    "<table background=javascript:1>", "<input autofocus onfocus=1>", "<br/onclick=1>",
    "<th onclick=1>", "<<script>script>", "<img src=`x`onerror=1>", "<a\u2028href=x>",
]  # fmt: skip
AROUND = [
    "{}", "a {} b", "**{}**", "> {}", "- {}", "1. {}", "# {}", "    {}",
    "`{}`", "```\n{}\n```", "| {} |\n|---|\n| {} |", "*a{}", "[{}](https://a.example)",
    "\\{}", "a\n{}\n---",
]  # fmt: skip
CORPUS = [
    *(link.format(scheme) for link, scheme in itertools.product(LINKS, SCHEMES)),
    *(frame.replace("{}", raw) for frame, raw in itertools.product(AROUND, RAW)),
]


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) > 1000


@pytest.mark.parametrize("number", range(8))
def test_no_attack_of_the_corpus_leaves_the_short_list(number: int) -> None:
    for attack in CORPUS[number::8]:
        assert_safe(to_html(attack))


def test_no_attack_gets_out_as_a_value() -> None:
    html = to_html("Dear {{name}}, see {{name}}")
    for attack in [*RAW, *SCHEMES]:
        merged, gaps = merge(html, {"name": attack}, mark_gaps=True)
        assert_safe(merged)
        assert gaps == ()
        assert {tag for tag, _ in read(merged).tags} <= {"p", "br"}


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_accepted_and_safe(text: str) -> None:
    assert_safe(to_html(text))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["<", ">", "[", "](", ")", "*", "_", "|", "\n", "-", "#", "&", ";", '"',
             "'", "{{", "}}", "a", " ", "\t", "https://a.example", "javascript:",
             "<script>", "<img onerror=1", "![", "`", ">", "=", "\ud800", "\x00"]
        ),
        max_size=60,
    ).map("".join),
    st.text(max_size=40),
)  # fmt: skip
def test_any_mix_of_marks_and_values_is_safe(text: str, value: str) -> None:
    html = to_html(text)
    merged, _ = merge(html + "{{a}}", {"a": value}, mark_gaps=True)
    assert_safe(html)
    assert_safe(merged, more=frozenset({"mark"}))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_a_value_is_shown_as_it_is(value: str) -> None:
    merged, _ = merge("<p>{{a}}</p>", {"a": value})
    shown = re.sub(r"<br>", "\n", merged.removeprefix("<p>").removesuffix("</p>"))
    ends = re.compile(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
    clean = value.encode("utf-8", "replace").decode()
    if "\x00" not in value:
        assert read(shown).text == ends.sub("\n", clean)


def test_headings_begin_below_the_title() -> None:
    html = to_html("# One\n\n### Two\n\n###### Three")
    tags = [tag for tag, _ in read(html).tags]
    assert tags == ["h2", "h3", "h3"]
    assert "<h2>One</h2>" in to_html("## One")


def test_a_table_names_its_columns() -> None:
    html = to_html("a|b\n-|:-:\n1|2")
    assert html.count('<th scope="col">') == 2
    assert "style" not in html


def test_a_link_leads_to_https_only_and_tells_nothing() -> None:
    html = to_html("[a](https://a.example/x?y=1#z) [b](http://b.example)")
    assert f'<a href="https://a.example/x?y=1#z" rel="{REL}">a</a>' in html
    assert "[b](http://b.example)" in html


def test_pictures_code_and_html_stay_text() -> None:
    assert "<img" not in to_html("![x](https://a.example/x.png)")
    assert read(to_html("`a` <b>")).text.strip() == "`a` <b>"


INJECTIONS = [
    "{{7*7}}", "{% if 1 %}", "${7*7}", "#{7*7}", "{{ ''.__class__ }}", "{{name|safe}}",
    "{{__class__}}", "{{config}}{{_x}}", "{{a.b.c}}", "{{a.__init__}}", "{{Name}}",
    "{{name()}}", "{{name[0]}}", "{{{name}}}", "{{ name }", "{name}", "{{name}}}",
    "{{\nname}}", "{{na me}}", "{{name.}}", "{{.name}}", "<%= 1 %>", "{{#name}}",
    "{{/name}}", "{{>name}}", "{{&name}}", "{{!name}}", "{{n\u0430me}}", "{{}}",
    "@(1+1)", "[[name]]", "%(name)s", "{0.__class__}", "{{name!r}}", "{{'a'}}",
    "{{" + "a" * 41 + "}}", "{{    name}}",
]  # fmt: skip


@pytest.mark.parametrize("payload", INJECTIONS)
def test_what_is_no_placeholder_stays_literal(payload: str) -> None:
    values = dict.fromkeys(["name", "a", "a.b", "safe", "b"], "LEAKED")
    values["config"] = "kept"
    merged, gaps = merge(f"<p>{payload}</p>", values)
    assert "LEAKED" not in merged
    assert gaps == ()


def test_placeholders_are_named_once_in_order() -> None:
    text = "{{b}} {{ a }} **{{request.number}}** {{b}} {{7*7}}"
    assert placeholders(text) == ("b", "a", "request.number")


def test_a_placeholder_written_by_entities_is_known_too() -> None:
    text = "&#123;&#123;a}} \\{\\{b}}"
    assert placeholders(text) == ("a", "b")


def test_gaps_are_named_and_marked() -> None:
    merged, gaps = merge("<p>{{a}} {{b}} {{a}}</p>", {"b": "x"}, mark_gaps=True)
    assert gaps == ("a",)
    assert merged.count('<mark class="gap">{{a}}</mark>') == 2
    assert merge("<p>{{a}}</p>", {}) == ("<p>{{a}}</p>", ("a",))


def test_samples_can_be_marked() -> None:
    merged, _ = merge("{{a}}", {"a": "<x>"}, mark_values=True)
    assert merged == '<mark class="sample">&lt;x&gt;</mark>'


@given(st.text(alphabet="{}ab. ", max_size=30))
def test_a_value_is_never_looked_at_again(value: str) -> None:
    values = {"v": value, "a": "SECOND", "b": "SECOND", "a.b": "SECOND"}
    assert merge("<p>{{v}}</p>", values)[0] == f"<p>{value}</p>"


def test_lines_of_a_value_are_kept_as_lines() -> None:
    assert merge("{{a}}", {"a": "1\r\n2\n3"})[0] == "1<br>2<br>3"


def test_a_link_is_never_filled_in() -> None:
    html = to_html("[x](https://a.example/{{name}}) and <https://a.example/{{name}}>")
    merged, _ = merge(html, {"name": "SECRET"})
    assert linked_braces(html)
    hrefs = [attrs["href"] for tag, attrs in read(merged).tags if tag == "a"]
    assert len(hrefs) >= 1
    assert not [href for href in hrefs if href and "SECRET" in href]
    assert not linked_braces(to_html("[{{name}}](https://a.example)"))
    assert merge('<a href="{{name}}">x</a>', {"name": "SECRET"})[0].count("SECRET") == 0


def test_what_is_too_long_is_refused() -> None:
    assert to_html("a" * MAX_BYTES)
    for text in ("a" * (MAX_BYTES + 1), "\u00e9" * (MAX_BYTES // 2 + 1)):
        with pytest.raises(MarkupTooLarge):
            to_html(text)


N = 20_000
SLOW = {
    "stars": "*a " * (N // 3), "open brackets": "[" * N, "links": "[a](" * (N // 4),
    "quotes": "> " * (N // 2), "lists": "- a\n" * (N // 4), "under": "_*" * (N // 2),
    "deep list": "\n".join("  " * i + "- a" for i in range(190)),
    "braces": "{{" * (N // 2), "spaces": "{{ " * (N // 3), "name": "{{" + "a" * N,
    "dots": "{{a.b" * (N // 5), "less": "<" * N, "tags": "<a" * (N // 2),
    "entities": "&#1" * (N // 3), "escapes": "\\" * N, "brackets": "[" * 9999 + "]" * N,
    "titles": "[a](b 'c" * (N // 8), "urls": "https://" * (N // 8), "new": "\n" * N,
    "link": "[a](https://" + "a." * 9000 + ")", "ref": "[a]: https://a.b\n" * (N // 17),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_no_text_makes_it_slow(name: str) -> None:
    def once(text: str) -> float:
        start = time.process_time()
        merge(to_html(text), {"a": "b"}, mark_gaps=True)
        return time.process_time() - start

    text = SLOW[name]
    whole = once(text)
    assert whole < 1  # a quadratic one takes minutes at this length


@pytest.mark.parametrize("text", ["<" * N, "{{a " * N, "<a " * N, "{{a." * N, "{" * N])
def test_merging_is_one_pass(text: str) -> None:
    start = time.process_time()
    merge(text, {}, mark_gaps=True)
    placeholders("x")
    linked_braces(text)
    assert time.process_time() - start < 0.5


def test_a_wide_table_cannot_blow_up() -> None:
    columns = 2000
    text = "|a" * columns + "|\n" + "|-" * columns + "|\n" + "|\n" * 20_000
    try:
        html = to_html(text[:MAX_BYTES])
    except MarkupTooLarge:
        return
    assert len(html) <= 2 * MAX_HTML
