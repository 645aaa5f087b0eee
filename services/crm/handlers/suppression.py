"""Addresses of erased people: known again by a keyed hash, never kept."""

from __future__ import annotations

from services.crm.errors import ContactErased
from services.crm.model.contact import evolve_suppressed, suppress_address
from shared.clock import Clock
from shared.context import CallContext
from shared.crypto.keyring import Keyring
from shared.crypto.seal import keyed_hash
from shared.eventstore.port import EventStore
from shared.handling import Aggregates


class SuppressedAddresses:
    """A stream for each address, named by its keyed hash; outlives the erasure."""

    def __init__(self, store: EventStore, clock: Clock, keyring: Keyring) -> None:
        """Keep what is given; open nothing."""
        self._keyring = keyring
        self._held = Aggregates(store, clock, initial=False, evolve=evolve_suppressed)

    def add(self, address: str, contact_id: str, context: CallContext) -> None:
        """Suppress the address of a person about to be erased; once is enough."""
        mac = self._mac(address)
        self._held.run(
            _stream(mac),
            context,
            lambda held, _: suppress_address(held, contact_id, mac),
        )

    def refuse(self, address: str) -> None:
        """Raise ContactErased if the address is that of an erased person."""
        if self._held.load(_stream(self._mac(address))).state:
            raise ContactErased(
                "The address belongs to a person who was erased at their request."
            )

    def _mac(self, address: str) -> str:
        key = self._keyring.derive("suppression")
        return keyed_hash(key, "address", address.casefold()).hex()


def _stream(mac: str) -> str:
    return f"crm.suppressed-{mac}"
