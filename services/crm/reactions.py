"""What the service does by itself: whoever is forgotten loses the keys."""

from __future__ import annotations

from services.crm.events import ContactForgotten
from shared.clock import Clock
from shared.context import service_context
from shared.crypto.keyring import Keyring
from shared.events import Event, Recorded
from shared.eventstore.port import EventStore
from shared.handling import Aggregates
from shared.refusals import ContactKeysDestroyed


class DestroyKeys:
    """Destroys a forgotten contact's keys in this service, then says so once."""

    def __init__(self, store: EventStore, clock: Clock, keyring: Keyring) -> None:
        """Keep what is given; open nothing."""
        self._keyring = keyring
        self._destroyed = Aggregates(store, clock, initial=False, evolve=_is_destroyed)

    @property
    def name(self) -> str:
        """Return the name its checkpoint goes by."""
        return "crm-destroy-keys"

    @property
    def concerns(self) -> tuple[type[Event], ...]:
        """Return the facts it is shown."""
        return (ContactForgotten,)

    def react(self, record: Recorded) -> None:
        """Destroy first, tell after: the fact is never ahead of the deed."""
        if not isinstance(record.event, ContactForgotten):
            return
        contact_id = record.event.contact_id
        self._keyring.destroy(contact_id)
        told = ContactKeysDestroyed(contact_id=contact_id, service="crm")
        self._destroyed.run(
            f"crm.keys-{contact_id}",
            service_context("crm", cause=record.event_id),
            lambda destroyed, _: [] if destroyed else [told],
        )


def _is_destroyed(
    destroyed: bool,  # noqa: FBT001  # the state of the stream, as `evolve` has it
    event: Event,
) -> bool:
    return destroyed or isinstance(event, ContactKeysDestroyed)
