"""A key for each pair of services that talk: it hides, and it tells who speaks.

`keys/pairs/<caller>.<service>` holds 32 random bytes, mode 0400. A process needs only
the files of its own service.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from shared.crypto.kek import KeyFileUnsafe, KeyMissing, refuse_unsafe
from shared.crypto.seal import KEY_BYTES, subkey

_NAME: Final = re.compile(r"[a-z]{2,20}")


def write_secret(path: Path, secret: bytes) -> bool:
    """Write a new file of mode 0400, whole and durable; False if one is there.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(fresh, flags, 0o400), "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(fresh)
    except FileExistsError:
        return False
    finally:
        fresh.unlink(missing_ok=True)
    return True


def read_secret(path: Path, largest: int) -> bytes:
    """Return the content of a file that no other user can touch.

    Raises:
        KeyMissing: it is not there.
        KeyFileUnsafe: others can touch it, or it holds more than `largest` bytes.
    """
    try:
        with path.open("rb") as file:
            refuse_unsafe(path, os.fstat(file.fileno()))
            secret = file.read(largest + 1)
    except FileNotFoundError:
        message = f"{path} is not there; put it back, or run: letterlock broker-setup"
        raise KeyMissing(message) from None
    if not 0 < len(secret) <= largest:
        message = f"{path} does not hold what it should"
        raise KeyFileUnsafe(message)
    return secret


def create_pairs(folder: Path, pairs: Iterable[tuple[str, str]]) -> int:
    """Make the key files that are missing, `(caller, service)` each; return how many.

    Raises:
        KeyFileUnsafe: others can touch the folder.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    refuse_unsafe(folder, folder.stat())
    return sum(
        write_secret(_path(folder, caller, service), secrets.token_bytes(KEY_BYTES))
        for caller, service in sorted(set(pairs))
    )


class Pairs:
    """The pair keys of a folder, each read when first needed."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder; read nothing yet."""
        self._folder = folder
        self._made: dict[tuple[str, str, str], bytes] = {}

    def key(self, caller: str, service: str, direction: str) -> bytes:
        """Return the 32-byte key for requests or replies of a pair.

        Raises:
            KeyMissing: the pair has no file here.
            KeyFileUnsafe: others can touch it, or it is not 32 bytes long.
        """
        key = self._made.get((caller, service, direction))
        if key is None:
            path = _path(self._folder, caller, service)
            secret = read_secret(path, KEY_BYTES)
            if len(secret) != KEY_BYTES:
                message = f"{path} must hold exactly {KEY_BYTES} bytes"
                raise KeyFileUnsafe(message)
            key = self._made[caller, service, direction] = subkey(secret, direction)
        return key


def _path(folder: Path, caller: str, service: str) -> Path:
    if not (_NAME.fullmatch(caller) and _NAME.fullmatch(service)):
        message = "no pair of services has such names"
        raise KeyMissing(message)
    return folder / f"{caller}.{service}"
