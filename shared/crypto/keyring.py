"""One service's data keys: a key for each contact and one for the house.

A key lies wrapped in the service's key database and open only in memory. Destroying it
makes every value sealed under it unreadable, wherever copies of them lie.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from shared.codec import HOUSE, Place
from shared.crypto.binding import HEAD_BYTES, VALUE, ColumnKey, bound, column_of
from shared.crypto.datakeys import KEY_ID_BYTES, DataKeys
from shared.crypto.kek import Keks, KeyFileUnsafe, KeyMissing
from shared.crypto.keydb import KeyRow, KeysUnavailable, KeyTable
from shared.crypto.seal import box_by, place_of_row, subkey, unbox
from shared.crypto.tombstones import Tombstones
from shared.errors import DomainError
from shared.events import Sealed
from shared.eventstore.port import CorruptRecord

_OWNER: Final = re.compile(r"[A-Za-z0-9._-]{2,80}")
_PAGE: Final = 1000  # rows a check reads at a time
_SAMPLE: Final = 3  # keys of each end that are opened at the start


class KeyDestroyed(DomainError):
    """The person was erased; nothing more can be kept about them."""

    code = "key_destroyed"
    http_status = 410


class Keyring:
    """Seals, opens and destroys, on behalf of one service.

    Thread-safe, and several processes may share the file: every use reads the key's
    row, and a key held open counts only while its row holds the same bytes. So what one
    process destroys, no other can use. Opens nothing before the first use; use it after
    a fork, not across one.

    An owner is a contact id or `HOUSE`; what must outlive a contact's erasure needs an
    owner of another name.
    """

    def __init__(
        self, service: str, path: Path, *, keks: Keks, tombstones: Tombstones
    ) -> None:
        """Keep what is given; open nothing yet."""
        self._service = service
        self._path = path
        self._keks = keks
        self._tombstones = tombstones
        self._table = KeyTable(path)
        self._keys = DataKeys(service, path, keks)

    def seal(self, owner: str, place: Place, plain: bytes) -> Sealed:
        """Return `plain` sealed under the owner's newest key, minted if need be.

        Raises:
            KeyDestroyed: the owner was erased.
            KeysUnavailable: the key database could not be read or written.
            CorruptRecord: the owner's key row is not what was written.
        """
        row = self._current(owner)
        ad = bound(self._service, owner, place, row.key_id)
        return Sealed(row.key_id, box_by(self._keys.cipher(row), ad, plain))

    def unseal(self, owner: str, place: Place, sealed: Sealed) -> bytes | None:
        """Return the value, or None if the owner was erased.

        Raises:
            CorruptRecord: the value was altered, or moved from another place.
            KeyMissing: this database never had a key for the owner; restore its backup.
            KeysUnavailable: the key database could not be read.
        """
        row = self._table.newest(owner)
        where = f"{place.stream} {place.event_id} {place.type_name}.{place.field}"
        if row is None:
            message = f"{where}: {self._path} has no key for {owner}"
            raise KeyMissing(message)
        if row.destroyed:
            self._keys.forget(row)
            return None
        if row.key_id != sealed.key_id:
            row = self._older(owner, sealed.key_id, where)
        ad = bound(self._service, owner, place, row.key_id)
        return unbox(self._keys.open(row), ad, sealed.box, where=where)

    def seal_value(self, owner: str, place: Place, plain: bytes) -> bytes:
        """As `seal`, as bytes for a column or blob: 33 longer than `plain`."""
        sealed = self.seal(owner, place, plain)
        return VALUE + bytes.fromhex(sealed.key_id) + sealed.box

    def unseal_value(self, owner: str, place: Place, sealed: bytes) -> bytes | None:
        """As `unseal`, of what `seal_value` returned."""
        key_id, content = sealed[len(VALUE) : HEAD_BYTES].hex(), sealed[HEAD_BYTES:]
        if not sealed.startswith(VALUE):
            content = b""  # fails as altered, unless the owner was erased
        return self.unseal(owner, place, Sealed(key_id=key_id, box=content))

    def unseal_column(
        self, table: str, column: str, rows: Sequence[tuple[str, str, bytes]]
    ) -> list[bytes | None]:
        """As `unseal_value` of each row at `place_of_row`, much cheaper.

        Of each row: its owner, its primary key as text, and what is sealed in `column`.
        The keys of all owners are read at one moment: who was erased before it is None.

        Raises:
            CorruptRecord, KeyMissing, KeysUnavailable: as `unseal`, of the first row
                that cannot be opened; then none is.
        """
        place = column_of(table, column)
        keys = {
            key.owner: ColumnKey(
                self._service,
                key.owner,
                key.key_id,
                self._keys.open(key),
                column=place,
            )
            for key in self._table.newest_of({owner for owner, _, _ in rows})
            if not key.destroyed
        }
        opened = []
        for owner, row, sealed in rows:
            key = keys.get(owner)
            plain = key.open(row, sealed) if key else None
            if plain is None:  # no such key, erased, an older key, altered: it tells
                plain = self.unseal_value(
                    owner, place_of_row(table, row, column), sealed
                )
            opened.append(plain)
        return opened

    def has(self, owner: str) -> bool:
        """Say whether the owner has a key that works."""
        row = self._table.newest(owner)
        return row is not None and not row.destroyed

    def is_destroyed(self, owner: str) -> bool:
        """Say whether the owner was erased here; never undone."""
        row = self._table.newest(owner)
        return row is not None and row.destroyed

    def ensure(self, owner: str) -> None:
        """Mint the owner's key now, durably, if there is none.

        Raises:
            KeyDestroyed: the owner was erased.
        """
        self._current(owner)

    def renew(self, owner: str) -> None:
        """Give the owner a new key for what is sealed from now on.

        Values sealed before stay readable under the older key.

        Raises:
            KeyDestroyed: the owner was erased.
        """
        row = self._current(owner)
        self._table.add(self._keys.fresh(owner, row.generation + 1))
        self._current(owner)

    def destroy(self, owner: str) -> bool:
        """Destroy the owner's keys for good; False if they were destroyed before.

        Writes the tombstone list first, then overwrites the keys in the database, then
        empties its log. Safe to repeat after a crash at any point. An owner who never
        had a key can have none from now on.

        Raises:
            ValueError: `owner` is the house, whose key serves all.
            KeysUnavailable: not all of it could be done; ask again.
        """
        if owner == HOUSE:
            message = "the key of the house is not one that can be destroyed"
            raise ValueError(message)
        if not self.is_destroyed(_named(owner)):
            try:
                self._tombstones.add(self._service, owner)
            except OSError as error:
                message = f"tombstones: {error.strerror or error}"
                raise KeysUnavailable(message) from error
        buried = self._bury(owner)
        self._table.empty_log()
        return buried

    def replay_tombstones(self) -> int:
        """Destroy again what a restored backup brought back; returns for how many.

        Every service heeds the lines of all. Must run before the first request.

        Raises:
            KeyMissing: the list is not there.
            CorruptRecord: the list is not as it was written.
        """
        buried = sum(self._bury(owner) for owner in self._tombstones.owners())
        self._table.empty_log()
        return buried

    def prove_keks(self) -> None:
        """Open a few keys under each key-encryption key that wraps any here.

        To be called before the first request: a key file that is lost or exchanged
        would be missed only by the requests that need it. A row altered by itself is no
        reason not to start.

        Raises:
            KeyFileUnsafe: a key file is gone, or is not the one that was used.
        """
        for rows in self._table.samples(_SAMPLE):
            if not any(self._opens(row) for row in rows):
                file = self._keks.path(rows[0].kek)
                message = (
                    f"{file} does not open what {self._path} holds: one of the two was"
                    " exchanged or altered; put both back from one key backup"
                )
                if not file.exists():
                    message = f"{file} is gone, and {self._path} needs it; put it back"
                    message += " from the key backup"
                raise KeyFileUnsafe(message)

    def _opens(self, row: KeyRow) -> bool:
        try:
            self._keys.unwrap(row)
        except (CorruptRecord, KeyMissing):
            return False
        return True

    def rewrap(self, batch: int = 100) -> int:
        """Wrap every key under the newest key-encryption key; returns how many were.

        Values and data keys stay as they are. Commits every `batch` keys: killed at any
        point, all keys stay readable and the next call does the rest. Once it returns
        0, older key files are of no use to this database.

        Raises:
            KeyMissing: a key is wrapped under a file that is not there.
        """
        newest, done = self._keks.newest(), 0
        for page in self._table.pages(batch):
            old = [row for row in page if not row.destroyed and row.kek != newest]
            fresh = [(row, self._keys.rewrapped(row, newest)) for row in old]
            done += self._table.rewrap(fresh)
        self._table.empty_log()
        return done

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes that the house's first key always gives for `purpose`."""
        self._current(HOUSE)
        first = self._table.all_of(HOUSE)[0]
        return subkey(self._keys.open(first), purpose)

    def faults(self) -> list[str]:
        """Return a line for each key row that cannot be what was written."""
        found = [f"{self._path}: {flaw}" for flaw in self._table.flaws()]
        for page in self._table.pages(_PAGE):
            for row in (row for row in page if not row.destroyed):
                try:
                    self._keys.unwrap(row)
                except (CorruptRecord, KeyMissing) as error:
                    found.append(str(error))
        return found

    def close(self) -> None:
        """Overwrite the keys held open, as far as Python can, and close the file."""
        self._keys.forget_all()
        self._table.close()

    def _current(self, owner: str) -> KeyRow:
        row = self._table.newest(owner)
        if row is None:
            self._table.add(self._keys.fresh(_named(owner), generation=1))
            row = self._table.newest(owner)
        if row is None:
            message = f"{self._path}: a key that was just written is not there"
            raise CorruptRecord(message)
        if row.destroyed:
            self._keys.forget(row)
            raise KeyDestroyed
        return row

    def _older(self, owner: str, key_id: str, where: str) -> KeyRow:
        for row in self._table.all_of(owner):
            if row.key_id == key_id:
                return row
        message = f"{where}: names a key that its owner never had"
        raise CorruptRecord(message)

    def _bury(self, owner: str) -> bool:
        buried = self._table.bury(owner, secrets.token_hex(KEY_ID_BYTES))
        for row in self._table.all_of(owner):
            self._keys.forget(row)
        return buried


def _named(owner: str) -> str:
    if not _OWNER.fullmatch(owner):
        message = "an owner is a contact id or the house"
        raise ValueError(message)
    return owner
