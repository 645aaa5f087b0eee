"""When a contact is forgotten: keys and renditions go, and that they went is a fact."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from services.crm.events import ContactForgotten
from services.envelope.handlers.tools import Tools
from shared.blobs import Blobs
from shared.context import service_context
from shared.errors import Fault
from shared.events import Event, Recorded, drafted
from shared.eventstore.port import NO_STREAM, EventStore, WrongVersion
from shared.refusals import ContactKeysDestroyed


class StillUpdating(Fault):
    """The list of what is to be deleted is not complete yet; it is tried again."""


class ForgetReaction:
    """Destroys all that this service could still show of the person."""

    name: Final = "envelope-forget"
    concerns: Final[tuple[type[Event], ...]] = (ContactForgotten,)

    def __init__(self, tools: Tools, store: EventStore, blobs: Blobs) -> None:
        """Work with `tools`; delete from `blobs`, record in `store`."""
        self._tools = tools
        self._store = store
        self._blobs = blobs

    def react(self, record: Recorded) -> None:
        """Destroy keys first: from then on nothing opens, whatever fails after.

        Raises:
            StillUpdating: an envelope sent shortly before may be missing in the list.
        """
        if not isinstance(record.event, ContactForgotten):
            return
        contact_id = record.event.contact_id
        self._tools.keyring.destroy(contact_id)
        blobs = self._tools.lists.blobs_of(contact_id, record.position)
        if blobs is None:
            raise StillUpdating
        for name in blobs:
            self._blobs.delete(name)
        stream = f"envelope.keys-{contact_id}"
        context = service_context("envelope", cause=record.event_id)
        fact = ContactKeysDestroyed(contact_id=contact_id, service="envelope")
        at = max(self._tools.clock.now(), record.recorded_at)
        with suppress(WrongVersion):  # recorded before a crash
            self._store.append(
                stream,
                drafted([fact], context, at=at, stream=stream),
                expected=NO_STREAM,
            )
