"""What is sealed opens only where it was sealed, and unaltered."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto.seal import (
    OVERHEAD,
    associated,
    box,
    keyed_hash,
    place_of_blob,
    place_of_row,
    same,
    subkey,
    unbox,
)
from shared.eventstore.port import CorruptRecord

KEY = bytes(range(32))
PARTS = st.lists(st.one_of(st.text(), st.binary()), max_size=6)


@given(plain=st.binary(), ad=st.binary())
def test_what_is_boxed_comes_out_unchanged(plain: bytes, ad: bytes) -> None:
    sealed = box(KEY, ad, plain)
    assert len(sealed) == len(plain) + OVERHEAD
    assert unbox(KEY, ad, sealed, where="here") == plain


@given(plain=st.binary(max_size=60), data=st.data())
def test_one_changed_bit_is_found_and_named(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(box(KEY, b"ad", plain))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CorruptRecord, match="row 7"):
        unbox(KEY, b"ad", bytes(sealed), where="row 7")


@given(size=st.integers(0, OVERHEAD + 4))
def test_a_shortened_box_is_found(size: int) -> None:
    with pytest.raises(CorruptRecord):
        unbox(KEY, b"", box(KEY, b"", b"plain")[:size], where="here")


def test_another_key_or_place_does_not_open() -> None:
    sealed = box(KEY, b"one", b"plain")
    with pytest.raises(CorruptRecord):
        unbox(KEY, b"two", sealed, where="here")
    with pytest.raises(CorruptRecord):
        unbox(KEY[::-1], b"one", sealed, where="here")


def test_the_same_value_never_looks_the_same_twice() -> None:
    assert len({box(KEY, b"", b"plain") for _ in range(100)}) == 100


@given(one=PARTS, other=PARTS)
def test_different_lists_of_parts_never_join_to_the_same_bytes(
    one: list[str | bytes], other: list[str | bytes]
) -> None:
    def raw(parts: list[str | bytes]) -> list[bytes]:
        return [p.encode() if isinstance(p, str) else p for p in parts]

    assert (associated(*one) == associated(*other)) == (raw(one) == raw(other))


def test_a_keyed_hash_is_hmac_sha_256_of_purpose_and_parts() -> None:
    message = b"\0\0\0\x01p\0\0\0\x02ab"
    expected = hmac.new(KEY, message, hashlib.sha256).digest()
    assert keyed_hash(KEY, "p", "ab") == expected == keyed_hash(KEY, "p", b"ab")
    assert keyed_hash(KEY, "p", "a", "b") != expected != keyed_hash(KEY, "pa", "b")


def test_a_subkey_is_hkdf_sha_256_without_salt() -> None:
    pseudorandom = hmac.digest(bytes(32), KEY, "sha256")  # RFC 5869, section 2.2
    info = associated("letterlock-subkey-1", "link")
    assert subkey(KEY, "link") == hmac.digest(pseudorandom, info + b"\x01", "sha256")
    assert subkey(KEY, "link") != subkey(KEY, "code")


def test_secrets_are_compared_as_text_or_bytes() -> None:
    assert same("straße", "straße".encode())
    assert not same("a", "b")
    assert not same("a", "ab")


def test_rows_and_blobs_have_places_that_no_stream_has() -> None:
    assert "." not in place_of_row("t", "r", "c").stream
    assert "." not in place_of_blob("b").stream
    assert place_of_row("blob", "b", "content") != place_of_blob("b")
