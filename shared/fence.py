"""A lock on a file: one holder on this machine, freed by the system when it dies."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from shared.errors import Fault


class AlreadyFollowed(Fault):
    """Another process, or another part of this one, is doing this work already."""


class Fence:
    """Keeps a second worker out for as long as the first one lives."""

    def __init__(self, path: Path | None) -> None:
        """Guard with the file at `path`; with None, guard nothing."""
        self._path = path
        self._file: int | None = None

    @property
    def file(self) -> int:
        """Return the open lock, to be inherited: it is held until all have closed it.

        Raises:
            ValueError: it was not taken, or guards nothing.
        """
        if self._file is None:
            raise ValueError("not taken")
        return self._file

    def holders(self) -> list[int]:
        """Return the processes that have the file open, as far as one may see."""
        if self._path is None:
            return []
        wanted = self._path.resolve()
        return [pid for pid in _processes() if wanted in _open_files(pid)]

    def take(self) -> None:
        """Take the lock; at once, or not at all. Taking it again changes nothing.

        Raises:
            AlreadyFollowed: somebody else holds it.
        """
        if self._path is None or self._file is not None:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(file)
            raise AlreadyFollowed(self._path.name) from error
        self._file = file

    def release(self) -> None:
        """Let the next one in. The file stays: deleting it would let two in."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _processes() -> list[int]:
    names = [path.name for path in Path("/proc").iterdir()]
    return sorted(int(name) for name in names if name.isdecimal())


def _open_files(pid: int) -> set[Path]:
    """Return the files a process has open; none if it ended or is somebody else's."""
    found: set[Path] = set()
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed
                found.add(link.readlink())
    return found
