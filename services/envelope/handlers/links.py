"""Links: made from the key each time they are needed, kept nowhere."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final, Literal

from services.envelope.ports import LinkRow
from shared.crypto.keyring import Keyring
from shared.crypto.seal import keyed_hash, same

TOKEN_BYTES: Final = 20
Purpose = Literal["letter", "choices"]
_TOKEN: Final = re.compile("[a-z2-7]{32}")


def base32(content: bytes) -> str:
    """Return lower-case base32 without padding."""
    return base64.b32encode(content).decode().lower().rstrip("=")


def hash_of(token: str) -> str:
    """Return the SHA-256 by which a token is looked up, 64 hex digits."""
    return hashlib.sha256(token.encode()).hexdigest()


class Links:
    """Makes and recognises tokens: 160 bits, 32 letters and figures.

    Token = first 20 bytes of HMAC-SHA-256(link key, envelope id, generation, purpose).
    A retry after a crash therefore mails the same link. The choices link of an envelope
    stays the same when its letter link is renewed, and does not expire.
    """

    def __init__(self, keyring: Keyring, viewer_url: str) -> None:
        """Derive from `keyring`; addresses begin with `viewer_url`."""
        self._keyring = keyring
        self._viewer = viewer_url.rstrip("/")

    @property
    def viewer(self) -> str:
        """Return the address of the viewer, to type by hand."""
        return self._viewer

    def token(self, envelope_id: str, generation: int, purpose: Purpose) -> str:
        """Return the token of a link."""
        return base32(self._mac(envelope_id, generation, purpose)[:TOKEN_BYTES])

    def letter(self, envelope_id: str, generation: int) -> str:
        """Return the address of a letter link."""
        return f"{self._viewer}/e/{self.token(envelope_id, generation, 'letter')}"

    def choices(self, envelope_id: str) -> str:
        """Return the address of the choices link."""
        return f"{self._viewer}/c/{self.token(envelope_id, 1, 'choices')}"

    def message_id(self, item_id: str, generation: int = 0) -> str:
        """Return the local part of a Message-ID; tells nothing of the id behind it."""
        return base32(self._mac(item_id, generation, "message-id")[:TOKEN_BYTES])

    def could_be(self, token: str) -> bool:
        """Say whether `token` has the form of one."""
        return _TOKEN.fullmatch(token) is not None

    def is_genuine(self, token: str, row: LinkRow) -> bool:
        """Say whether `token` is what the key gives for `row`.

        The look-up table is no truth: a row put there by hand opens nothing.
        """
        mac = self._mac(row.envelope_id, row.generation, row.purpose)
        return same(token, base32(mac[:TOKEN_BYTES]))

    def _mac(self, item_id: str, generation: int, purpose: str) -> bytes:
        key = self._keyring.derive("link")
        return keyed_hash(key, "link", item_id, str(generation), purpose)
