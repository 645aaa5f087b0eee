"""The list of those whose keys were destroyed, kept apart from keys and from backups.

A backup older than an erasure brings destroyed keys back; this list, replayed before
the first request, takes them away again (I10). One line each:

    <kek version> <service> <owner> <chain> <MAC>

`chain` is the SHA-256 over all lines before, and the MAC covers the line with it, so
nothing can be changed, dropped or put in between. A list cut short at its end cannot be
told from a younger one: keep copies. What a thief of the list learns is pseudonyms.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.crypto.kek import Keks, KeyFileUnsafe, KeyMissing, refuse_unsafe
from shared.crypto.seal import keyed_hash, same, subkey
from shared.eventstore.port import CorruptRecord

_PURPOSE: Final = "tombstones"
_NOBODY: Final = "-"  # owner of a line that only seals those before it
_START: Final = "0" * 64
_LONGEST_LINE: Final = 512  # bytes
_FIELDS: Final = 5


@dataclass(frozen=True, slots=True)
class _Line:
    kek: int
    service: str
    owner: str
    chain: str  # 64 hex digits
    mac: str  # 64 hex digits

    @property
    def content(self) -> str:
        return f"{self.kek} {self.service} {self.owner} {self.chain}"

    @property
    def next_chain(self) -> str:
        return hashlib.sha256(f"{self.content} {self.mac}".encode()).hexdigest()


class Tombstones:
    """An append-only file, shared by all services of a host, one writer at a time."""

    def __init__(self, path: Path, keks: Keks) -> None:
        """Keep path and keys; open nothing yet."""
        self._path = path
        self._keks = keks

    def create(self) -> None:
        """Make an empty list, mode 0600, if there is none; called once, at set-up."""
        os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600))
        handle = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def add(self, service: str, owner: str) -> None:
        """Write down, durably, that `service` is about to destroy the owner's keys.

        Costs the same however long the list: only its last line is verified.

        Raises:
            KeyMissing: there is no list; it must be restored, never quietly begun anew.
            CorruptRecord: the last line is not as it was written.
            OSError: the line could not be written.
            ValueError: a name holds a space or is too long.
        """
        with self._locked() as handle:
            size, last = self._tail(handle)
            chain = _START
            if last is not None:
                self._prove(last, "its last line")
                chain = last.next_chain
            bare = _Line(self._keks.newest(), service, owner, chain, "")
            line = f"{bare.content} {self._mac(bare)}\n".encode()
            if len(line) > _LONGEST_LINE or len(line.split()) != _FIELDS:
                message = "a line of the list holds one service and one owner"
                raise ValueError(message)
            os.ftruncate(handle, size)  # a line half written was never promised
            if os.pwrite(handle, line, size) != len(line):
                message = f"{self._path}: the disk took only part of a line"
                raise OSError(message)
            os.fsync(handle)

    def reseal(self) -> None:
        """Close the list under the newest key-encryption key, after a rotation.

        From then on it can be verified without the older keys.

        Raises:
            CorruptRecord: a line is not as it was written; nothing is added.
        """
        self.owners()
        self.add(_NOBODY, _NOBODY)

    def owners(self) -> list[str]:
        """Return everyone named, in order, each once.

        Raises:
            KeyMissing: there is no list, or not the key that would prove its end.
            CorruptRecord: names the first line that is not as it was written.
        """
        known, chain, owners = set(self._keks.versions()), _START, []
        with self._locked() as handle:
            size, last = self._tail(handle)
            text = os.pread(handle, size, 0).decode("ascii", "replace")
        for number, raw in enumerate(text.splitlines(), 1):
            where = f"line {number}"
            line = self._parsed(raw, where)
            if line.chain != chain:
                raise self._wrong(where)
            if line.kek in known:
                self._prove(line, where)
            chain = line.next_chain
            owners.append(line.owner)
        if last is not None:
            self._prove(last, "its last line")
        return [owner for owner in dict.fromkeys(owners) if owner != _NOBODY]

    def _tail(self, handle: int) -> tuple[int, _Line | None]:
        end = os.fstat(handle).st_size
        start = max(0, end - 2 * _LONGEST_LINE)
        text = os.pread(handle, end - start, start)
        whole = text[: text.rfind(b"\n") + 1]
        if not whole:
            if start:
                raise self._wrong("its last line")
            return 0, None
        raw = whole.splitlines()[-1].decode("ascii", "replace")
        return start + len(whole), self._parsed(raw, "its last line")

    def _parsed(self, raw: str, where: str) -> _Line:
        try:
            kek, service, owner, chain, mac = raw.split(" ")
            return _Line(int(kek), service, owner, chain, mac)
        except ValueError:
            raise self._wrong(where) from None

    def _prove(self, line: _Line, where: str) -> None:
        try:
            mac = self._mac(line)
        except KeyMissing as missing:
            message = f"{self._path}: {where}: {missing}"
            raise KeyMissing(message) from None
        if not same(mac, line.mac):
            raise self._wrong(where)

    def _mac(self, line: _Line) -> str:
        key = subkey(self._keks.get(line.kek), _PURPOSE)
        return keyed_hash(key, _PURPOSE, line.content).hex()

    def _wrong(self, where: str) -> CorruptRecord:
        return CorruptRecord(f"{self._path}: {where} is not as it was written")

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            handle = os.open(self._path, os.O_RDWR)
        except FileNotFoundError:
            message = f"{self._path} is not there; restore it with the key backup"
            raise KeyMissing(message) from None
        except OSError as error:
            message = f"{self._path}: {error.strerror}"
            raise KeyFileUnsafe(message) from error
        try:
            refuse_unsafe(self._path, os.fstat(handle))
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)
