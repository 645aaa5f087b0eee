"""What the staff operations need from outside."""

from __future__ import annotations

from typing import Protocol


class Hasher(Protocol):
    """Password hashing. `shared.crypto.passwords.PasswordHasher` is one."""

    def hash(self, password: str) -> str:
        """Return the encoded hash, with salt and parameters. Raises HashingBusy."""
        ...

    def verify(self, encoded: str | None, password: str) -> bool:
        """Say whether the password is the one; None costs the same. HashingBusy."""
        ...


class Secrets(Protocol):
    """A source of secrets nobody can foresee."""

    def fresh(self) -> bytes:
        """Return 32 random bytes, never the same again."""
        ...


class IndexKeys(Protocol):
    """Keys derived from the house key. `shared.crypto.keyring.Keyring` is one."""

    def derive(self, purpose: str) -> bytes:
        """Return the 32 bytes that the house's first key always gives."""
        ...


class Directory(Protocol):
    """Who was ever invited."""

    def ids(self, after: int) -> tuple[str, ...]:
        """Return the ids of all members of staff, known up to position `after`."""
        ...
