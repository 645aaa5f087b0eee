"""Times and references, put into words the same way everywhere."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Final

_SPACE: Final = 10**8


def in_words(at: datetime) -> str:
    """Return e.g. "Wednesday 2 December 2026, 14:05 UTC"."""
    utc = at.astimezone(UTC)
    return f"{utc:%A} {utc.day} {utc:%B %Y, %H:%M} UTC"


def reference_of(envelope_id: str) -> str:
    """Return the number to say on the phone, e.g. "4821-7730"; not a secret."""
    seed = hashlib.sha256(f"reference/{envelope_id}".encode()).digest()
    number = f"{int.from_bytes(seed[:8]) % _SPACE:08d}"
    return f"{number[:4]}-{number[4:]}"
