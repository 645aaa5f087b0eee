"""What the handlers of the evidence service need."""

from __future__ import annotations

from typing import Protocol

from services.audit.api import Trail
from services.audit.commands import GetTimeline, GetTrail
from shared.codec import Place


class IdentityKeys(Protocol):
    """The evidence-identity keys. `shared.crypto.keyring.Keyring` is one."""

    def seal_value(self, owner: str, place: Place, plain: bytes) -> bytes:
        """Return `plain` sealed under the owner's key, minted if need be.

        Raises:
            KeyDestroyed: the owner's seven years are over.
        """
        ...


class TrailReader(Protocol):
    """The trail, as far as it has been written."""

    def timeline(self, request: GetTimeline) -> Trail:
        """Return every fact of one envelope. Raises TrailUnknown."""
        ...

    def trail(self, request: GetTrail) -> Trail:
        """Return one page of the trail."""
        ...
