"""Passwords of staff: hashed slowly, refused when easy to foresee."""

from __future__ import annotations

import pytest
from argon2 import extract_parameters
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto import passwords
from shared.crypto.passwords import (
    HashingBusy,
    PasswordHasher,
    PasswordRefused,
    refuse_weak,
)
from tests.waiting import LONG

NAMES = ["maria.kowalska@ferndale-trust.org", "Maria Kowalska"]


@pytest.fixture(scope="module")
def hasher() -> PasswordHasher:
    return PasswordHasher(patience=LONG)


def test_the_right_password_is_known_and_no_other(hasher: PasswordHasher) -> None:
    encoded = hasher.hash("Grün ist der Hügel")
    assert hasher.verify(encoded, "Grün ist der Hügel")
    assert not hasher.verify(encoded, "grün ist der Hügel")
    assert not hasher.needs_rehash(encoded)
    assert "Hügel" not in encoded


def test_no_byte_of_a_long_password_is_cut(hasher: PasswordHasher) -> None:
    longest = "x" * 1023
    encoded = hasher.hash(longest + "a")
    assert hasher.verify(encoded, longest + "a")
    assert not hasher.verify(encoded, longest + "b")
    assert not hasher.verify(hasher.hash("y" * 72 + "a"), "y" * 72 + "b")


def test_an_account_that_does_not_exist_costs_the_same(hasher: PasswordHasher) -> None:
    real = extract_parameters(hasher.hash("whatever it is"))
    assert extract_parameters(hasher._nobody) == real
    assert not hasher.verify(None, "whatever it is")


def test_a_hash_that_is_none_is_no_match(hasher: PasswordHasher) -> None:
    assert not hasher.verify("rubbish", "whatever it is")


@pytest.mark.parametrize("password", ["x" * 1025, "ü" * 513, "\ud800" * 12])
def test_what_cannot_be_a_password_is_refused(
    hasher: PasswordHasher, password: str
) -> None:
    with pytest.raises(PasswordRefused):
        hasher.hash(password)
    with pytest.raises(PasswordRefused):
        refuse_weak(password)
    assert not hasher.verify(None, password)


def test_an_old_cheaper_hash_is_made_anew(hasher: PasswordHasher) -> None:
    old = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA"
    assert hasher.needs_rehash(old)


def test_no_more_run_at_once_than_memory_allows() -> None:
    hasher = PasswordHasher(max_parallel=1, patience=0.01)
    with hasher._turn(), pytest.raises(HashingBusy):
        hasher.verify(None, "x")
    assert not hasher.verify(None, "x")  # the turn was given back


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "xyzzyxyzzyxyzzy",
        "password1234",
        "P@ssw0rd2024!",
        "Letterlock2026",
        "l3tt3rl0ck-2026!!",
        "Welcome12345",
        "qwertyuiop123",
        "1qaz2wsx3edc",
        "abcdefghijkl",
        "0987654321098",
        "zyxwvutsrqpo",
        "MariaKowalska",
        "Kowalska1987!",
        "ferndale-trust",
        "Summer2025!!",
        "iloveyou1234",
        "AdminAdmin1!",
    ],
)
def test_a_password_that_is_easy_to_foresee_is_refused(password: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        refuse_weak(password, NAMES)
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "grün ist der hügel",
        "tN8#vq2LmZ0x",
        "maria likes purple tractors",
        "849302175634",
        "長い秘密の言葉はとても安全です",
        "x7" * 3 + "kettle of fish" * 4,
    ],
)
def test_other_passwords_pass_whatever_their_characters(password: str) -> None:
    refuse_weak(password, NAMES)


@given(password=st.text(), names=st.lists(st.text(), max_size=3))
def test_any_text_is_judged_without_failing(password: str, names: list[str]) -> None:
    try:
        refuse_weak(password, names)
    except PasswordRefused:
        return
    assert len(password) >= passwords.SHORTEST
