"""Key-encryption keys: one file for each version, made only when asked for.

`keys/kek-<n>` holds 32 random bytes, mode 0400. The highest version wraps new data
keys; lower ones stay readable until a rotation has left them unused.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Final

from shared.crypto.seal import KEY_BYTES
from shared.errors import Fault
from shared.settings import SettingsError, refuse_exposed

GONE: Final = "put it back from the key backup, or begin in a new folder"
_NAME: Final = re.compile(r"kek-([1-9][0-9]{0,8})")


class KeyFileUnsafe(SettingsError):
    """A key file or folder is open to others, or does not hold a key."""


class KeyMissing(Fault):
    """A key that stored values need is not there; restore the key backup."""


def refuse_unsafe(path: Path, found: os.stat_result) -> None:
    """Refuse a file or folder that anyone but this user or root can touch.

    Raises:
        KeyFileUnsafe: says which, and how to mend it.
    """
    try:
        refuse_exposed(path, found, owner=os.geteuid())
    except SettingsError as exposed:
        raise KeyFileUnsafe(str(exposed)) from None


def create_kek(folder: Path) -> int:
    """Make the next key-encryption key, durably, and return its version, from 1.

    Nothing else in the program makes one, so a lost key is never quietly replaced.

    Raises:
        KeyFileUnsafe: others can touch the folder.
        FileExistsError: another process made the same version first.
    """
    version = max(Keks(folder).versions(), default=0) + 1
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    fresh = folder / f".kek-{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(fresh, flags, 0o400), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        (folder / f"kek-{version}").hardlink_to(fresh)  # whole, and never over another
    finally:
        fresh.unlink(missing_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return version


class Keks:
    """The key-encryption keys of a folder, each read when first needed."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder; read nothing yet."""
        self._folder = folder
        self._read: dict[int, bytes] = {}

    def versions(self) -> list[int]:
        """Return the versions that have a file, lowest first.

        Raises:
            KeyFileUnsafe: the folder is absent, or others can touch it.
        """
        try:
            refuse_unsafe(self._folder, self._folder.stat())
            names = [path.name for path in self._folder.iterdir()]
        except OSError as error:
            message = f"{self._folder}: {error.strerror}; {GONE}"
            raise KeyFileUnsafe(message) from error
        found = (_NAME.fullmatch(name) for name in names)
        return sorted(int(match[1]) for match in found if match)

    def newest(self) -> int:
        """Return the version under which new keys are wrapped.

        Raises:
            KeyFileUnsafe: there is none, or others can touch the folder.
        """
        versions = self.versions()
        if not versions:
            message = f"{self._folder} holds no kek-<n> file; {GONE}"
            raise KeyFileUnsafe(message)
        return versions[-1]

    def path(self, version: int) -> Path:
        """Return where the file of a version lies, whether or not it is there."""
        return self._folder / f"kek-{version}"

    def get(self, version: int) -> bytes:
        """Return the key, 32 bytes.

        Raises:
            KeyMissing: there is no file of this version.
            KeyFileUnsafe: others can touch the file, or it is not 32 bytes long.
        """
        key = self._read.get(version)
        if key is None:
            key = self._read[version] = self._load(version)
        return key

    def _load(self, version: int) -> bytes:
        path = self.path(version)
        try:
            with path.open("rb") as file:
                refuse_unsafe(path, os.fstat(file.fileno()))
                key = file.read(KEY_BYTES + 1)
        except FileNotFoundError:
            message = f"{path} is not there; restore it from the key backup"
            raise KeyMissing(message) from None
        except OSError as error:
            message = f"{path}: {error.strerror}"
            raise KeyFileUnsafe(message) from error
        if len(key) != KEY_BYTES:
            message = f"{path} must hold exactly {KEY_BYTES} bytes; restore the backup"
            raise KeyFileUnsafe(message)
        return key
