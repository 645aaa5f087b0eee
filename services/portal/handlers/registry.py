"""The streams about staff: a person each, an address each, one roster.

Everything that decides is read from the streams, as of now; the read model serves the
list only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from services.portal.api import StaffCard
from services.portal.errors import StaffUnknown
from services.portal.model import address, details, roster, staff
from services.portal.model.address import Address
from services.portal.model.roster import Roster
from services.portal.model.staff import Staff
from services.portal.ports import IndexKeys
from shared.clock import Clock
from shared.context import CallContext, Done
from shared.crypto.seal import keyed_hash
from shared.events import Event
from shared.eventstore.port import EventStore
from shared.handling import Aggregates, Loaded
from shared.ids import derived_hex

ROSTER: Final = "portal.roster-staff"
NOBODY: Final = "0" * 32  # an id nobody has

_ID: Final = re.compile(r"[0-9a-f]{32}")


class Registry:
    """Loads and appends; decides nothing."""

    def __init__(self, store: EventStore, clock: Clock, keys: IndexKeys) -> None:
        """Work on `store`; name address streams under `keys`."""
        self._keys = keys
        self._people = Aggregates(store, clock, Staff(), staff.evolve)
        self._addresses = Aggregates(store, clock, Address(), address.evolve)
        self._roster = Aggregates(store, clock, Roster(), roster.evolve)

    def claim(self, email: str, staff_id: str, context: CallContext) -> str:
        """Set the address aside and return for which id: `staff_id`, if it was free."""
        stream = self._address_stream(email)
        self._addresses.run(stream, context, lambda a, _: address.claim(a, staff_id))
        return self._addresses.load(stream).state.staff_id

    def proposed(self, email: str, context: CallContext) -> str:
        """Return the id that this command gives to whoever has this address."""
        return derived_hex(context.command_id, self._address_stream(email))

    def holder(self, email: str) -> str:
        """Return the id for whom the address is set aside, `NOBODY` if it is free."""
        return self._addresses.load(self._address_stream(email)).state.staff_id or (
            NOBODY
        )

    def person(self, staff_id: str) -> Loaded[Staff]:
        """Return a person as of now; nobody known if the id was never invited."""
        return self._people.load(person_stream(staff_id))

    def act(
        self,
        staff_id: str,
        context: CallContext,
        decide: Callable[[Staff, datetime], Sequence[Event]],
        *,
        ref: str = "",
    ) -> Done:
        """Carry out one command on a person's stream."""
        return self._people.run(person_stream(staff_id), context, decide, ref=ref)

    def roles(self, staff_id: str) -> tuple[str, ...]:
        """Return the person's roles as of now."""
        return self._roster.load(ROSTER).state.of(staff_id)

    def enrol(
        self,
        context: CallContext,
        decide: Callable[[Roster], Sequence[Event]],
        *,
        ref: str,
    ) -> Done:
        """Carry out one command on the roster."""
        return self._roster.run(ROSTER, context, lambda r, _: decide(r), ref=ref)

    def card(self, staff_id: str) -> StaffCard:
        """Return what is known of a person as of now. Raises StaffUnknown."""
        person = staff.known(self.person(staff_id).state)
        return StaffCard(
            staff_id=staff_id,
            formal_name=person.formal_name,
            email=person.email,
            roles=self.roles(staff_id),
            has_password=person.password_hash is not None,
        )

    def _address_stream(self, email: str) -> str:
        key = self._keys.derive("index")
        hidden = keyed_hash(key, "staff-address", details.as_kept(email))
        return f"portal.address-{hidden.hex()}"


def person_stream(staff_id: str) -> str:
    """Return the name of a person's stream.

    Raises:
        StaffUnknown: this is not even the form of an id.
    """
    if not _ID.fullmatch(staff_id):
        raise StaffUnknown
    return f"portal.staff-{staff_id}"
