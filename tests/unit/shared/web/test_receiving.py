"""How long a request is, judged from its beginning; boxes that never wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.web.receiving import Bounds, Inbox, Refusable, length_of

BOUNDS = Bounds(longest_head=1000, largest_body=500)
HEADS = st.lists(
    st.from_regex(r"X-[a-z]{1,9}: ?[a-z ]{0,20}[a-z]", fullmatch=True), max_size=6
)


def request_of(heads: list[str], body: bytes) -> bytes:
    lines = ["POST /e/abc HTTP/1.1", *heads, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@given(heads=HEADS, body=st.binary(max_size=500), data=st.data())
def test_a_request_is_complete_exactly_when_all_of_it_is_here(
    heads: list[str], body: bytes, data: st.DataObject
) -> None:
    whole = request_of(heads, body)
    part = whole[: data.draw(st.integers(1, len(whole)))]
    needed, _ = length_of(part, BOUNDS)
    assert (len(part) >= needed) == (part == whole)
    assert length_of(whole + b"GET / HTTP/1.1\r\n", BOUNDS) == (len(whole), True)


def test_what_is_too_long_is_not_waited_for() -> None:
    endless = b"GET / HTTP/1.1\r\nX: " + b"x" * 2000
    assert length_of(endless, BOUNDS) == (len(endless), False)
    huge = b"POST / HTTP/1.1\r\nContent-Length: 501\r\n\r\n"
    assert length_of(huge, BOUNDS) == (len(huge), True)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("Transfer-Encoding: chunked", "411"),
        ("transfer-encoding : identity\r\nContent-Length: 3", "411"),
        ("Content-Length: 3\r\ncontent-length: 3", "400"),
        ("Content-Length: 3\r\n 4", "400"),
        ("Content-Length: -3", "400"),
        ("Content-Length: +3", "400"),
        ("Content-Length: 0x3", "400"),
        ("Content-Length:", "400"),
        ("Content-Length: 9999999999999999999", "400"),
    ],
)
def test_a_body_without_a_plain_length_is_refused(lines: str, status: str) -> None:
    with pytest.raises(Refusable, match=status):
        length_of(f"POST / HTTP/1.1\r\n{lines}\r\n\r\n".encode(), BOUNDS)


@given(text=st.binary(max_size=200), sizes=st.lists(st.integers(0, 50), max_size=20))
def test_an_inbox_gives_every_byte_once_and_in_order(
    text: bytes, sizes: list[int]
) -> None:
    box, taken = Inbox(), b""
    box.add(text)
    for number, size in enumerate(sizes):
        part = box.read(size) if number % 2 else box.readline(size)
        assert len(part) <= size
        assert number % 2 or b"\n" not in part[:-1]
        taken += part
    assert taken + box.read() == text
    assert box.bytes_read == len(text)
    assert not box.has_data()
