"""Authenticated encryption and keyed hashes, over plain bytes.

Nothing here opens a file or keeps a key. A sealed value is bound to the place where it
stands: moved, altered or opened under another key, it fails and the place is named.
"""

from __future__ import annotations

import hmac
import os
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.codec import Place
from shared.eventstore.port import CorruptRecord

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
OVERHEAD: Final = NONCE_BYTES + 16  # bytes a box is longer than its content
_LENGTH: Final = struct.Struct(">I").pack


def associated(*parts: str | bytes) -> bytes:
    """Join `parts` so that no two different lists give the same bytes.

    Each part is preceded by its length, 4 bytes big-endian; text is UTF-8.
    """
    joined = []
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        joined += [_LENGTH(len(raw)), raw]
    return b"".join(joined)


def box(key: bytes, ad: bytes, plain: bytes) -> bytes:
    """Return nonce, ciphertext and tag of `plain` under AES-256-GCM.

    Args:
        key: 32 bytes.
        ad: associated data, authenticated and not stored; see `associated`.
        plain: at most 2**31 - 1 bytes.

    Source:
        NIST SP 800-38D, section 8.2.2: with random 96-bit nonces a key may seal 2**32
        values. One contact's key stays far below that.
    """
    return box_by(AESGCM(key), ad, plain)


def box_by(cipher: AESGCM, ad: bytes, plain: bytes) -> bytes:
    """As `box`, under a key that was made ready before."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, ad)


def unbox(key: bytes, ad: bytes, sealed: bytes, *, where: str) -> bytes:
    """Return what `box` was given.

    Raises:
        CorruptRecord: key, associated data or a bit differ; the message is `where`.
    """
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], ad)
    except (InvalidTag, ValueError):
        message = f"{where}: altered, or moved from another place"
        raise CorruptRecord(message) from None


def keyed_hash(key: bytes, purpose: str, *parts: str | bytes) -> bytes:
    """Return HMAC-SHA-256 of `purpose` and `parts`, 32 bytes.

    For look-ups and tokens that must reveal nothing without the key: suppression,
    terms of a blind index, link tokens. Different purposes never collide.
    """
    return hmac.digest(key, associated(purpose, *parts), "sha256")


def subkey(key: bytes, purpose: str) -> bytes:
    """Return the 32-byte key that `key` always gives for `purpose`.

    Source:
        HKDF-SHA-256, RFC 5869, no salt: `key` is already uniformly random.
    """
    info = associated("letterlock-subkey-1", purpose)
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=info).derive(key)


def same(one: str | bytes, other: str | bytes) -> bool:
    """Compare two secrets in a time that does not tell where they differ."""
    left = one.encode() if isinstance(one, str) else one
    right = other.encode() if isinstance(other, str) else other
    return hmac.compare_digest(left, right)


def place_of_row(table: str, row: str, column: str) -> Place:
    """Return the place of a sealed column; `row` is the row's primary key as text."""
    return Place(stream="row", event_id=row, type_name=table, field=column)


def place_of_blob(name: str) -> Place:
    """Return the place of a sealed blob, named by an id fixed before it is sealed."""
    return Place(stream="blob", event_id=name, type_name="blob", field="content")
