"""What the handlers and reactions of this service work with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.audit.api import AuditApi
from services.crm.api import CrmApi, Recipient
from services.crm.commands import GetContact
from services.crm.errors import ContactErased, ContactUnknown
from services.envelope.api import Organisation
from services.envelope.errors import EnvelopeUnknown, SenderLimit
from services.envelope.handlers.links import Links
from services.envelope.handlers.renditions import Renditions
from services.envelope.handlers.streams import ORGANISATION, Streams
from services.envelope.handlers.tickets import Tickets
from services.envelope.model.notice import Notice
from services.envelope.model.sending import SENDINGS, SENDINGS_WITHIN
from services.envelope.model.state import Envelope
from services.envelope.ports import Counters, LinkLookup, Lists
from services.letters.api import LettersApi
from shared.clock import Clock
from shared.context import CallContext
from shared.crypto.keyring import Keyring
from shared.failpoints import Failpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Joined once, in wiring, and handed to each part."""

    clock: Clock
    keyring: Keyring
    envelopes: Streams[Envelope]
    notices: Streams[Notice]
    organisations: Streams[Organisation]
    links: Links
    tickets: Tickets
    renditions: Renditions
    lookup: LinkLookup
    lists: Lists
    counters: Counters
    crm: CrmApi
    letters: LettersApi
    audit: AuditApi
    failpoints: Failpoints
    undo: timedelta
    life: timedelta

    def recipient(self, contact_id: str, context: CallContext) -> Recipient | None:
        """Return the contact as crm knows them now; None once they are erased.

        From the moment crm has recorded the erasure, not only once keys are destroyed.
        """
        if self.keyring.is_destroyed(contact_id):
            return None
        try:
            return self.crm.recipient(
                GetContact(contact_id=contact_id), context.step("recipient")
            )
        except (ContactErased, ContactUnknown):
            return None

    def organisation(self) -> Organisation:
        """Return who the organisation is; empty fields until it is described."""
        return self.organisations.load(ORGANISATION).state

    def claim_sending(self, context: CallContext) -> None:
        """Count one mail that a member of staff causes; the same command counts once.

        Raises:
            SenderLimit: this person has caused as many as one may within the hour.
        """
        now = self.clock.now()
        if not self.counters.claim_sending(
            context.actor_id,
            context.command_id,
            now,
            since=now - SENDINGS_WITHIN,
            most=SENDINGS,
        ):
            raise SenderLimit

    def refuse_erased(self, contact_id: str, context: CallContext) -> None:
        """Ask crm whether the person is there: the keys go a little after the fact.

        Raises:
            EnvelopeUnknown: the person was erased.
        """
        if self.recipient(contact_id, context) is None:
            raise EnvelopeUnknown
