"""Sealed renditions, kept beside the store and named by what they hold.

A blob is truth, like an event. Its content is already sealed, so its name, the SHA-256
of the ciphertext, says nothing about it.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from shared.errors import NotFound
from shared.eventstore.port import CorruptRecord, StoreUnavailable

_NAME: Final = re.compile("[0-9a-f]{64}")


class BlobUnknown(NotFound):
    """No such rendition is kept; it was never written, or it was erased."""

    code = "blob_unknown"


class Blobs(Protocol):
    """Bytes, each kept under the SHA-256 of itself."""

    def put(self, content: bytes) -> str:
        """Keep `content` (sealed) durably and return its name, 64 hex digits.

        The same content again is the same blob.

        Raises:
            StoreUnavailable: it could not be written. Nothing was kept.
        """
        ...

    def get(self, name: str) -> bytes:
        """Return the content.

        Raises:
            BlobUnknown: there is none of this name.
            CorruptRecord: it is no longer what was written.
            StoreUnavailable: it could not be read.
        """
        ...

    def delete(self, name: str) -> bool:
        """Remove the content durably; False if there was none.

        Raises:
            StoreUnavailable: it could not be removed.
        """
        ...

    def names(self) -> Iterator[str]:
        """Yield the name of every blob kept, in order."""
        ...


class MemoryBlobs:
    """Blobs that last as long as the process."""

    def __init__(self) -> None:
        """Start with none."""
        self._kept: dict[str, bytes] = {}

    def put(self, content: bytes) -> str:
        """As `Blobs.put`."""
        name = _name_of(content)
        self._kept[name] = content
        return name

    def get(self, name: str) -> bytes:
        """As `Blobs.get`."""
        if name not in self._kept:
            raise BlobUnknown
        return _checked(name, self._kept[name])

    def delete(self, name: str) -> bool:
        """As `Blobs.delete`."""
        return self._kept.pop(name, None) is not None

    def names(self) -> Iterator[str]:
        """As `Blobs.names`."""
        yield from sorted(self._kept)


class FileBlobs:
    """Blobs as files of mode 0600, two folders deep so that no folder grows large."""

    def __init__(self, folder: Path) -> None:
        """Keep blobs under `folder`; open nothing yet."""
        self._folder = folder

    def put(self, content: bytes) -> str:
        """As `Blobs.put`: temporary file, fsync, rename, fsync of the folders."""
        name = _name_of(content)
        final = self._path(name)
        with _disk():
            self._make(final.parent)
            fresh = final.with_name(f".new-{secrets.token_hex(8)}")
            try:
                _write(fresh, content)
                fresh.replace(final)
            finally:
                fresh.unlink(missing_ok=True)
            _sync_folder(final.parent)
        return name

    def get(self, name: str) -> bytes:
        """As `Blobs.get`."""
        path = self._path(name)
        with _disk():
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                raise BlobUnknown from None
        return _checked(name, content)

    def delete(self, name: str) -> bool:
        """As `Blobs.delete`."""
        path = self._path(name)
        with _disk():
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            _sync_folder(path.parent)
        return True

    def names(self) -> Iterator[str]:
        """As `Blobs.names`; half-written files of a crash are passed over."""
        with _disk():
            found = sorted(self._folder.glob("??/??/*"))
        yield from (path.name for path in found if _NAME.fullmatch(path.name))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BlobUnknown
        return self._folder / name[:2] / name[2:4] / name

    def _make(self, folder: Path) -> None:
        for one in (self._folder, folder.parent, folder):
            with suppress(FileExistsError):
                one.mkdir(mode=0o700)
                _sync_folder(one.parent)


def _name_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _checked(name: str, content: bytes) -> bytes:
    if _name_of(content) != name:
        message = f"blob {name}: its content is not what was written"
        raise CorruptRecord(message)
    return content


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"blobs: {error.strerror}"
        raise StoreUnavailable(message) from error


def _write(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
