"""Identifiers: unguessable when minted, repeatable when derived."""

from __future__ import annotations

import re
import time
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.ids import derived, derived_hex, derived_number, mint

causes = st.uuids(version=4)


def test_minted_ids_are_version_7_and_tell_the_time() -> None:
    before = time.time_ns() // 1_000_000
    minted = [mint() for _ in range(500)]
    after = time.time_ns() // 1_000_000
    assert len(set(minted)) == 500
    for each in minted:
        assert (each.version, each.variant) == (7, "specified in RFC 4122")
        assert before <= int.from_bytes(each.bytes[:6]) <= after


@given(cause=causes, name=st.text(), other=st.text())
def test_derived_ids_repeat_and_differ_by_name(
    cause: UUID, name: str, other: str
) -> None:
    assert derived(cause, name) == derived(cause, name)
    assert derived(cause, name).version == 7
    assert derived(cause, name).bytes[:6] == cause.bytes[:6]
    assert (derived(cause, name) == derived(cause, other)) == (name == other)
    assert derived_hex(cause, name) == derived_hex(cause, name)
    assert (derived_hex(cause, name) == derived_hex(cause, other)) == (name == other)


@given(cause=causes, name=st.text())
def test_derived_hex_is_128_bits_in_lower_case(cause: UUID, name: str) -> None:
    assert re.fullmatch("[0-9a-f]{32}", derived_hex(cause, name))


@given(
    cause=causes,
    digits=st.integers(min_value=1, max_value=12),
    attempt=st.integers(min_value=0, max_value=99),
)
def test_derived_numbers_have_their_digits(
    cause: UUID, digits: int, attempt: int
) -> None:
    number = derived_number(cause, "page", digits=digits, attempt=attempt)
    assert re.fullmatch(rf"[1-9][0-9]{{{digits - 1}}}", number)
    assert number == derived_number(cause, "page", digits=digits, attempt=attempt)


def test_another_attempt_is_another_number() -> None:
    cause = mint()
    numbers = {derived_number(cause, "p", digits=6, attempt=n) for n in range(20)}
    assert len(numbers) > 15
