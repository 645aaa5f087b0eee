"""Secrets from the operating system."""

from __future__ import annotations

import secrets
from typing import Final

SIZE: Final = 32  # bytes


class SystemSecrets:
    """The machine's own source of randomness. Implements `Secrets`."""

    def fresh(self) -> bytes:
        """Return 32 random bytes."""
        return secrets.token_bytes(SIZE)
