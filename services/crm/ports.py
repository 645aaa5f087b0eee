"""What the handlers of contacts need besides store, clock and keys."""

from __future__ import annotations

from typing import Protocol

from services.crm.api import ContactPage, ContactView
from services.crm.commands import GetContact, SearchContacts


class ContactList(Protocol):
    """The contact list as it is read."""

    def search(self, request: SearchContacts) -> ContactPage:
        """Find people by all words typed, in any order."""
        ...

    def contact(self, request: GetContact) -> ContactView:
        """Return one contact with its look-alikes. Raises ContactUnknown."""
        ...
