"""Whose an e-mail address is: the first to claim it, for good.

A claim sets aside the id of a person who is yet to be invited. Whoever comes second
finds that id, and only one invitation can be the first fact about it. So two
invitations of one address never make two people, and one that was broken off between
claim and invitation does not block the address.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.portal.events import StaffAddressClaimed
from shared.events import Event


@dataclass(frozen=True, slots=True)
class Address:
    """The id set aside for the person with this address, "" if it is free."""

    staff_id: str = ""


def claim(address: Address, staff_id: str) -> list[Event]:
    """Set the address aside for `staff_id`; nothing if it is set aside already."""
    return [] if address.staff_id else [StaffAddressClaimed(staff_id=staff_id)]


def evolve(address: Address, event: Event) -> Address:
    """Apply one fact. Total: a fact this version does not know changes nothing."""
    match event:
        case StaffAddressClaimed(staff_id=staff_id) if not address.staff_id:
            return Address(staff_id)
        case _:
            return address
