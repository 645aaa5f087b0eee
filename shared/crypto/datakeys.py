"""Data keys on their way between a wrapped row and an open key in memory."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.crypto.kek import Keks, KeyMissing
from shared.crypto.keydb import TOMBSTONE, KeyRow
from shared.crypto.seal import KEY_BYTES, associated, box, unbox

HELD: Final = 4096  # keys held open at a time
KEY_ID_BYTES: Final = 4  # one owner has few keys, and the owner is bound too
_FORMAT: Final = b"letterlock-wrap-1"
_ZEROS: Final = bytes(KEY_BYTES)


@dataclass(frozen=True, slots=True)
class _Held:
    wrapped: bytes  # the row it was opened from; another row, another key
    key: bytearray
    cipher: AESGCM  # the same key made ready; OpenSSL overwrites its copy at the end


class DataKeys:
    """Makes, wraps, opens and forgets the data keys of one service.

    Holds some of them open. Thread-safe without a lock: each step on the shared
    dictionary is atomic, and a key is copied before use, so one overwritten by another
    thread is seen as zeros and opened afresh, never used.
    """

    def __init__(self, service: str, path: Path, keks: Keks) -> None:
        """Keep what is given; `path` only names the database in messages."""
        self._service = service
        self._path = path
        self._keks = keks
        self._held: OrderedDict[tuple[str, int], _Held] = OrderedDict()

    def fresh(self, owner: str, generation: int) -> KeyRow:
        """Return a new random key, wrapped under the newest key-encryption key."""
        key_id = secrets.token_hex(KEY_ID_BYTES)
        blank = KeyRow(owner, generation, key_id, self._keks.newest(), TOMBSTONE)
        return self._wrap(blank, secrets.token_bytes(KEY_BYTES))

    def rewrapped(self, row: KeyRow, version: int) -> KeyRow:
        """Return the same key wrapped under key-encryption key `version`."""
        blank = KeyRow(row.owner, row.generation, row.key_id, version, TOMBSTONE)
        return self._wrap(blank, self.unwrap(row))

    def open(self, row: KeyRow) -> bytes:
        """Return the key of `row`, 32 bytes, unwrapped only if it is not held.

        Raises:
            CorruptRecord, KeyMissing: as `unwrap`.
        """
        key = bytes(self._opened(row).key)
        return key if key != _ZEROS else bytes(self._reopened(row).key)

    def cipher(self, row: KeyRow) -> AESGCM:
        """As `open`, ready to seal with."""
        return self._opened(row).cipher

    def unwrap(self, row: KeyRow) -> bytes:
        """Return the key of `row`, 32 bytes.

        Raises:
            CorruptRecord: the row is not what was written; names owner and key.
            KeyMissing: its key-encryption key is not there.
        """
        where = f"{self._path}: key {row.key_id} of {row.owner}"
        try:
            kek = self._keks.get(row.kek)
        except KeyMissing as missing:
            message = f"{where}: {missing}"
            raise KeyMissing(message) from None
        return unbox(kek, self._bound(row), row.wrapped, where=where)

    def forget(self, tombstone: KeyRow) -> None:
        """Overwrite what is held of the owner, as far as Python can.

        Copies made for a call in progress are left to the memory allocator.
        """
        for generation in range(1, tombstone.generation + 1):
            held = self._held.pop((tombstone.owner, generation), None)
            if held is not None:
                held.key[:] = _ZEROS

    def forget_all(self) -> None:
        """Overwrite every key held."""
        while self._held:
            self._forget_oldest()

    def _opened(self, row: KeyRow) -> _Held:
        held = self._held.get((row.owner, row.generation))
        if held is not None and held.wrapped == row.wrapped:
            return held
        return self._reopened(row)

    def _reopened(self, row: KeyRow) -> _Held:
        kept = bytearray(self.unwrap(row))
        held = _Held(row.wrapped, kept, AESGCM(kept))
        self._held[row.owner, row.generation] = held
        if len(self._held) > HELD:
            self._forget_oldest()
        return held

    def _forget_oldest(self) -> None:
        _, held = self._held.popitem(last=False)
        held.key[:] = _ZEROS

    def _wrap(self, blank: KeyRow, key: bytes) -> KeyRow:
        wrapped = box(self._keks.get(blank.kek), self._bound(blank), key)
        return KeyRow(blank.owner, blank.generation, blank.key_id, blank.kek, wrapped)

    def _bound(self, row: KeyRow) -> bytes:
        numbers = f"{row.generation}/{row.kek}"
        return associated(_FORMAT, self._service, row.owner, row.key_id, numbers)
