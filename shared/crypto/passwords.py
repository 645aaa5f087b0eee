"""Passwords of staff: Argon2id, and a refusal of those that are easy to foresee."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from shared.errors import Fault, Malformed

SHORTEST: Final = 12  # characters
LONGEST: Final = 1024  # bytes of UTF-8; nothing shorter is cut
MEMORY: Final = 32 * 1024  # KiB a hash uses while it runs
PASSES: Final = 6
PATIENCE: Final = 10.0  # seconds to wait for a turn
_FEWEST_DIFFERENT: Final = 5  # characters
_RUN: Final = 4  # characters that follow one another count as foreseen from here
_LEAST_LEFT: Final = 6  # characters that must remain unforeseen
_SHORTEST_NAME: Final = 3

_WORDS: Final = (
    *("letterlock", "letter", "envelope", "portal", "password", "passphrase"),
    *("passwort", "welcome", "willkommen", "letmein", "iloveyou", "admin"),
    *("administrator", "changeme", "secret", "login", "default", "company", "office"),
    *("spring", "summer", "autumn", "winter", "january", "february", "march", "april"),
    *("june", "july", "august", "september", "october", "november", "december"),
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    *("dragon", "monkey", "football", "baseball", "sunshine", "princess", "master"),
)
_ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik",
)
_AS_LETTERS: Final = str.maketrans("@4310$57!", "aaelossti")


class PasswordRefused(Malformed):
    """The password is too short, too long or too easy to foresee."""

    code = "password_refused"
    hint = "Use twelve characters or more: several unrelated words make a good one."


class HashingBusy(Fault):
    """Too many sign-ins at this moment."""


def refuse_weak(password: str, names: Collection[str] = ()) -> None:
    """Refuse a password by length and foreseeability; ask for no kinds of character.

    Refused are: fewer than 12 characters, more than 1024 bytes, fewer than 5 different
    characters, one piece repeated, and whatever leaves fewer than 6 characters once
    common words, `names` and their parts, keyboard and alphabet runs (forwards and
    backwards, with the usual digits for letters), repeats, years and digits at the end
    are taken away. This is a rule, not a list of breached passwords: a password stolen
    elsewhere that looks like no pattern passes. Staff sign in with a passkey as well.

    Args:
        password: as typed; never changed, never cut.
        names: what an attacker knows: account name, address, real name.

    Raises:
        PasswordRefused: says why, without the password.
    """
    if len(password) < SHORTEST:
        message = f"A password has at least {SHORTEST} characters."
        raise PasswordRefused(message)
    _storable(password)
    lower = password.lower()
    if len(set(lower)) < _FEWEST_DIFFERENT or _is_repeated(lower):
        message = "This password repeats itself too much."
        raise PasswordRefused(message)
    if len(_unforeseen(lower, names)) < _LEAST_LEFT:
        message = "This password is easy to foresee: common words, names, sequences."
        raise PasswordRefused(message)


class PasswordHasher:
    """Hashes and verifies, at most `max_parallel` at a time: 32 MiB of memory each.

    Cost:
        100 to 300 ms a call on the machines this was measured on. Blocks its thread:
        never call it from an eventlet loop.

    Source:
        RFC 9106 (Argon2id); above the OWASP minimum of 19 MiB and 2 passes, one lane.
    """

    def __init__(self, max_parallel: int = 2, *, patience: float = PATIENCE) -> None:
        """Set the parameters; compute nothing yet. `patience` is in seconds."""
        self._patience = patience
        self._turns = BoundedSemaphore(max_parallel)
        self._argon2 = argon2.PasswordHasher(
            time_cost=PASSES, memory_cost=MEMORY, parallelism=1
        )
        self._nobody = _hash_of_nobody()

    def hash(self, password: str) -> str:
        """Return the encoded hash, with its own salt and parameters, for storage.

        Raises:
            PasswordRefused: it is longer than 1024 bytes, or not text.
            HashingBusy: no turn came in time (10 s).
        """
        raw = _storable(password)
        with self._turn():
            return self._argon2.hash(raw)

    def verify(self, encoded: str | None, password: str) -> bool:
        """Say whether the password is the one; False too for a hash that is none.

        `None` stands for an account that does not exist: it costs the same, so that
        the time of the answer does not tell.

        Raises:
            HashingBusy: no turn came in time (10 s).
        """
        try:
            raw = _storable(password)
        except PasswordRefused:  # nobody has such a password
            encoded, raw = None, b""
        with self._turn():
            try:
                return self._argon2.verify(encoded or self._nobody, raw)
            except (VerificationError, InvalidHashError):
                return False

    def needs_rehash(self, encoded: str) -> bool:
        """Say whether to hash anew at the next sign-in: the parameters have changed."""
        return self._argon2.check_needs_rehash(encoded)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=self._patience):
            raise HashingBusy
        try:
            yield
        finally:
            self._turns.release()


def _storable(password: str) -> bytes:
    try:
        raw = password.encode()
    except UnicodeEncodeError:
        message = "This password holds something that is not a character."
        raise PasswordRefused(message) from None
    if len(raw) > LONGEST:
        message = f"A password has at most {LONGEST} bytes."
        raise PasswordRefused(message)
    return raw


def _hash_of_nobody() -> str:
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")
        for size in (16, 32)
    )
    return f"$argon2id$v=19$m={MEMORY},t={PASSES},p=1${salt}${digest}"


def _is_repeated(text: str) -> bool:
    return text in (text + text)[1:-1]


def _unforeseen(text: str, names: Collection[str]) -> str:
    parts = {part for name in names for part in re.split(r"[\W_\d]+", name.lower())}
    known = {*_WORDS, *(p for p in parts if len(p) >= _SHORTEST_NAME)}
    text = re.sub(r"(19|20)\d\d|\d{1,4}$", " ", _without_runs(text))
    plain = text.translate(_AS_LETTERS)
    for word in sorted(known, key=len, reverse=True):
        plain = plain.replace(word, " ")
    plain = _without_runs(plain)
    plain = re.sub(r"(.)\1{2,}", r"\1", plain)
    return re.sub(r"[\W_]+", "", plain)


def _without_runs(text: str) -> str:
    kept = text
    for row in (*_ROWS, *(row[::-1] for row in _ROWS)):
        for size in range(len(row), _RUN - 1, -1):
            for start in range(len(row) - size + 1):
                kept = kept.replace(row[start : start + size], " ")
    return kept
