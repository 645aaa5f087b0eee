"""What a sealed value is bound to: service, place, owner and key."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.codec import Place
from shared.crypto.datakeys import KEY_ID_BYTES
from shared.crypto.seal import NONCE_BYTES, associated, place_of_row

VALUE: Final = b"\x01"  # format of a value sealed for a column or blob
HEAD_BYTES: Final = len(VALUE) + KEY_ID_BYTES
_BOX: Final = HEAD_BYTES + NONCE_BYTES  # where the ciphertext begins
_FORMAT: Final = b"letterlock-seal-1"


def bound(service: str, owner: str, place: Place, key_id: str) -> bytes:
    """Return the associated data of a value that `service` seals at `place`."""
    return associated(
        _FORMAT,
        service,
        place.stream,
        place.event_id,
        place.type_name,
        place.field,
        owner,
        key_id,
    )


class ColumnKey:
    """Opens what one key sealed in one column, row after row."""

    def __init__(
        self, service: str, owner: str, key_id: str, key: bytes, *, column: Place
    ) -> None:
        """Prepare `key` for the rows of `column`, the place of any of them."""
        self._head = VALUE + bytes.fromhex(key_id)
        self._decrypt = AESGCM(key).decrypt
        self._before = associated(_FORMAT, service, column.stream)
        self._after = associated(column.type_name, column.field, owner, key_id)

    def open(self, row: str, sealed: bytes) -> bytes | None:
        """Return the value of a row; None if this key did not seal it there."""
        if not sealed.startswith(self._head):
            return None
        ad = self._before + associated(row) + self._after
        try:
            return self._decrypt(sealed[HEAD_BYTES:_BOX], sealed[_BOX:], ad)
        except (InvalidTag, ValueError):
            return None


def column_of(table: str, column: str) -> Place:
    """Return the place of a column, of no row in particular."""
    return place_of_row(table, "", column)
