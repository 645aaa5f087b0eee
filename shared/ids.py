"""Identifiers: minted once, or derived from the command that causes them."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Final
from uuid import UUID

_VERSION: Final = 0x7
_VARIANT: Final = 0b10


def mint() -> UUID:
    """Return a fresh UUIDv7: 48 bits of milliseconds, 74 random bits (RFC 9562)."""
    return _v7(time.time_ns() // 1_000_000, secrets.token_bytes(10))


def derived(cause: UUID, name: str) -> UUID:
    """Return the UUIDv7 that `cause` always gives for `name`.

    The time part is the cause's; the rest is SHA-256 of cause and name, so a retry of a
    command writes the same ids.
    """
    tail = hashlib.sha256(cause.bytes + name.encode()).digest()[:10]
    return _v7(int.from_bytes(cause.bytes[:6]), tail)


def derived_hex(cause: UUID, name: str) -> str:
    """Return 128 bits as 32 lower-case hex digits, always the same for a cause.

    Contacts, staff and envelopes are known by such ids. The 74 random bits of `cause`
    make them unguessable.
    """
    return hashlib.sha256(b"hex" + cause.bytes + name.encode()).hexdigest()[:32]


def derived_number(cause: UUID, name: str, *, digits: int, attempt: int) -> str:
    """Return a number of exactly `digits` digits, the `attempt`-th candidate."""
    seed = hashlib.sha256(cause.bytes + f"{name}/{attempt}".encode()).digest()
    low = 10 ** (digits - 1)
    return str(low + int.from_bytes(seed[:8]) % (9 * low))


def _v7(milliseconds: int, tail: bytes) -> UUID:
    value = int.from_bytes(tail)
    rand_a, rand_b = (value >> 62) & 0xFFF, value & ((1 << 62) - 1)
    return UUID(
        int=(milliseconds & ((1 << 48) - 1)) << 80
        | _VERSION << 76
        | rand_a << 64
        | _VARIANT << 62
        | rand_b
    )
