"""When a contact is forgotten, this service's keys for them go."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from services.crm.events import ContactForgotten
from services.letters.ports import ContactKeys
from shared.clock import Clock
from shared.context import service_context
from shared.events import Event, Recorded, drafted
from shared.eventstore.port import NO_STREAM, EventStore, WrongVersion
from shared.refusals import ContactKeysDestroyed

SERVICE: Final = "letters"


class Forgetting:
    """Destroys the keys, then says so: no value of the contact opens any more."""

    name = "letters-forgetting"
    concerns: tuple[type[Event], ...] = (ContactForgotten,)

    def __init__(self, store: EventStore, clock: Clock, keys: ContactKeys) -> None:
        """Destroy in `keys`, tell in `store`."""
        self._store = store
        self._clock = clock
        self._keys = keys

    def react(self, record: Recorded) -> None:
        """Destroy and tell, once for each contact; a repeat changes nothing."""
        if not isinstance(record.event, ContactForgotten):
            return
        contact_id = record.event.contact_id
        self._keys.destroy(contact_id)
        stream = f"{SERVICE}.keys-{contact_id}"
        facts = drafted(
            [ContactKeysDestroyed(contact_id=contact_id, service=SERVICE)],
            service_context(SERVICE, cause=record.event_id),
            at=max(self._clock.now(), record.recorded_at),
            stream=stream,
        )
        with suppress(WrongVersion):  # told already
            self._store.append(stream, facts, expected=NO_STREAM)
