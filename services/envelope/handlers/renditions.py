"""Renditions: the letter as it was merged for one contact, sealed and committed to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

import msgspec

from services.envelope.errors import EnvelopeUnknown
from services.envelope.model.state import Envelope
from shared.blobs import Blobs, BlobUnknown
from shared.crypto.keyring import Keyring
from shared.crypto.seal import keyed_hash, place_of_blob
from shared.eventstore.port import CorruptRecord

SALT_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is frozen at the sending. Everything in it is the contact's own matter."""

    title: str = field(repr=False)
    html: str = field(repr=False)
    record: str = field(repr=False)
    formal_name: str = field(repr=False)
    sender_name: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """Where a sealed rendition lies, and the commitment to its bytes."""

    blob: str
    commitment: str  # SHA-256(salt || content), 64 hex digits


class Renditions:
    """Seals renditions under the contact's key and opens them again.

    The salt follows from the envelope id and a key, so that a retry commits to the same
    bytes; it lies inside the seal and goes with the key when the contact is erased.
    """

    def __init__(self, keyring: Keyring, blobs: Blobs) -> None:
        """Seal with `keyring`, keep in `blobs`."""
        self._keyring = keyring
        self._blobs = blobs

    def freeze(self, contact_id: str, envelope_id: str, content: Content) -> Frozen:
        """Seal and keep a rendition, durably.

        Raises:
            KeyDestroyed: the contact was erased.
            StoreUnavailable: it could not be kept.
        """
        salt = keyed_hash(self._keyring.derive("salt"), "salt", envelope_id)
        plain = salt[:SALT_BYTES] + msgspec.json.encode(content)
        sealed = self._keyring.seal_value(contact_id, place_of_blob(envelope_id), plain)
        return Frozen(
            blob=self._blobs.put(sealed), commitment=hashlib.sha256(plain).hexdigest()
        )

    def thaw(self, envelope: Envelope) -> Content:
        """Return a rendition, checked against the commitment in its EnvelopeSent.

        Raises:
            EnvelopeUnknown: the contact was erased.
            CorruptRecord: it is missing, or not what was sealed at the sending.
            StoreUnavailable: it could not be read.
        """
        where = f"rendition of envelope {envelope.envelope_id}"
        try:
            sealed = self._blobs.get(envelope.blob)
        except BlobUnknown:
            if self._keyring.is_destroyed(envelope.contact_id):
                raise EnvelopeUnknown from None
            message = f"{where}: it is missing"
            raise CorruptRecord(message) from None
        place = place_of_blob(envelope.envelope_id)
        plain = self._keyring.unseal_value(envelope.contact_id, place, sealed)
        if plain is None:
            raise EnvelopeUnknown
        if hashlib.sha256(plain).hexdigest() != envelope.rendition:
            message = f"{where}: it is not what was committed to"
            raise CorruptRecord(message)
        return msgspec.json.decode(plain[SALT_BYTES:], type=Content)
