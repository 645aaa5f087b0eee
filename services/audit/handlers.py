"""The operations of the evidence service: one seals, the others read.

It appends no fact of its own. In particular it does not react to `ContactForgotten`:
it holds no content key to destroy, and the evidence-identity key lawfully outlives the
erasure, sealed (docs/decisions/0007). What an erasure waits for is
`ContactKeysDestroyed` of the services that hold content: crm, letters and envelope.
"""

from __future__ import annotations

from services.audit.api import Trail
from services.audit.commands import GetTimeline, GetTrail, SealIdentity
from services.audit.model import person_of
from services.audit.ports import IdentityKeys, TrailReader
from shared.context import CallContext
from shared.crypto.seal import place_of_row


class AuditHandlers:
    """Implements `AuditApi`."""

    def __init__(self, keys: IdentityKeys, reader: TrailReader) -> None:
        """Seal with `keys`, answer from `reader`."""
        self._keys = keys
        self._reader = reader

    def seal_identity(self, request: SealIdentity, context: CallContext) -> bytes:
        """Return name and address sealed under the contact's evidence-identity key.

        The key's owner is "identity-<contact>", minted at the first sealing. The value
        opens only as that of this envelope. Nothing is written down here, so a repeat
        does no harm; it gives other bytes, and the caller keeps the ones it recorded.

        Raises:
            Malformed: an id or the name is missing.
            KeyDestroyed: the contact's seven years are over.
        """
        del context  # whoever is let in by the policy may seal; nobody learns anything
        return self._keys.seal_value(
            f"identity-{request.contact_id}",
            place_of_row("identity", request.envelope_id, "person"),
            person_of(request),
        )

    def timeline(self, request: GetTimeline, context: CallContext) -> Trail:
        """Return every fact of one envelope, oldest first. Raises TrailUnknown."""
        del context
        return self._reader.timeline(request)

    def trail(self, request: GetTrail, context: CallContext) -> Trail:
        """Return one page of the trail, newest first."""
        del context
        return self._reader.trail(request)
