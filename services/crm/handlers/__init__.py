"""One method per operation: load, decide, append. Authoritative by the stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from services.crm.api import CodeMail, ContactPage, ContactView, Permit, Recipient
from services.crm.commands import (
    ChangeContact,
    CheckCode,
    CheckFact,
    CreateContact,
    ForgetContact,
    GetContact,
    IssueCode,
    PermitSend,
    ReadCode,
    SearchContacts,
    SetStop,
)
from services.crm.errors import ContactErased, ContactUnknown
from services.crm.handlers.codes import CodeDesk
from services.crm.handlers.suppression import SuppressedAddresses
from services.crm.model import contact as rules
from services.crm.model.contact import Contact
from services.crm.model.details import Details, details_of, masked
from services.crm.model.facts import comparable, on_file
from services.crm.model.names import initials_of
from services.crm.ports import ContactList
from shared.clock import Clock
from shared.context import CallContext, Done
from shared.crypto.keyring import Keyring
from shared.crypto.seal import same
from shared.events import Event
from shared.eventstore.port import EventStore
from shared.handling import Aggregates
from shared.ids import derived_hex

Decide = Callable[[Contact, datetime], Sequence[Event]]


class CrmHandlers:
    """Carries out every operation of `CrmApi`."""

    def __init__(
        self,
        store: EventStore,
        clock: Clock,
        keyring: Keyring,
        contacts: ContactList,
    ) -> None:
        """Keep what is given; open nothing."""
        self._list = contacts
        self._codes = CodeDesk(store, clock, keyring)
        self._contacts = Aggregates(store, clock, Contact(), rules.evolve)
        self._suppressed = SuppressedAddresses(store, clock, keyring)

    def create(self, request: CreateContact, context: CallContext) -> Done:
        """Enter a person; `ref` is the contact id, always the same for a command.

        Raises:
            ContactInvalid: a detail is not of professional quality.
            ContactErased: the address is that of a person who was erased.
        """
        contact_id = derived_hex(context.command_id, "contact")

        def made(at: datetime) -> Sequence[Event]:
            return rules.create(contact_id, details_of(request, at.date()))

        def decide(_: Contact, at: datetime) -> Sequence[Event]:
            self._suppressed.refuse(details_of(request, at.date()).email)
            return made(at)

        return self._contacts.run(
            _stream(contact_id), context, decide, ref=contact_id, begins=made
        )

    def change(self, request: ChangeContact, context: CallContext) -> Done:
        """Replace details; what changes nothing writes nothing.

        Raises:
            ContactUnknown, ContactErased, ContactInvalid: as the api says; erased also
                when the new address is that of a person who was.
        """

        def decide(contact: Contact, at: datetime) -> Sequence[Event]:
            before = rules.require(contact)
            details = details_of(request, at.date())
            if details.email != before.email:
                self._suppressed.refuse(details.email)
            return rules.change(contact, request.contact_id, details)

        return self._run(request.contact_id, context, decide)

    def set_stop(self, request: SetStop, context: CallContext) -> Done:
        """Record a choice; asking for what holds changes nothing.

        Raises:
            ContactUnknown, ContactErased, ContactInvalid: as the api says.
        """
        return self._run(
            request.contact_id,
            context,
            lambda contact, _: rules.set_stop(contact, request),
        )

    def permit(self, request: PermitSend, context: CallContext) -> Permit:
        """Grant one attempt, by a fact in the contact's stream.

        Raises:
            ContactUnknown, ContactHasStopped, ContactErased: as the api says; erased
                also when that happened after a first grant to the same command.
        """
        done = self._run(
            request.contact_id,
            context,
            lambda contact, _: rules.permit(contact, request),
        )
        details = self._details(request.contact_id)
        return Permit(
            position=done.position,
            formal_name=details.formal_name,
            email=details.email,
        )

    def issue_code(self, request: IssueCode, context: CallContext) -> Done:
        """Make a code; `ref` is its id.

        Raises:
            ContactUnknown, ContactErased: nobody is there to send it to.
            CodeLocked: three were made within ten minutes.
        """
        self._details(request.contact_id)
        return self._codes.issue(request, context)

    def read_code(self, request: ReadCode, context: CallContext) -> CodeMail:
        """Return a live code for mailing.

        Raises:
            ContactUnknown: no such code or contact, or one of them is no more.
        """
        del context
        details = self._details_or_unknown(request.contact_id)
        code, digits = self._codes.live(request)
        return CodeMail(
            code=digits,
            email=details.email,
            formal_name=details.formal_name,
            expires_at=code.expires_at,
        )

    def check_code(self, request: CheckCode, context: CallContext) -> bool:
        """Try a code; True uses it up.

        Raises:
            ContactUnknown: no such contact, or erased.
            CodeLocked: five wrong answers were given.
        """
        self._details_or_unknown(request.contact_id)
        return self._codes.check(request, context)

    def check_fact(self, request: CheckFact, context: CallContext) -> bool:
        """Compare a known fact, forgiving case, spaces and punctuation.

        False as well when no such fact is on file. Takes the same time either way.

        Raises:
            ContactUnknown: no such contact, or erased.
            ContactInvalid: there is no such kind of fact.
        """
        del context
        details = self._details_or_unknown(request.contact_id)
        kept = comparable(request.means, on_file(details, request.means))
        typed = comparable(request.means, request.answer)
        return same(kept, typed) and bool(kept)

    def forget(self, request: ForgetContact, context: CallContext) -> Done:
        """Erase a person: first the address is suppressed, then the fact is written.

        The keys follow by the service's own reaction. Repeating it does the rest.

        Raises:
            ContactUnknown: there never was such a contact.
            ContactInvalid: the reason is not a code.
        """
        stream = _stream(request.contact_id)
        contact = self._contacts.load(stream).state
        rules.forget(contact, request)  # refused before anything is written
        if contact.details is not None:
            address = contact.details.email
            self._suppressed.add(address, request.contact_id, context)
        done = self._run(
            request.contact_id,
            context,
            lambda contact, _: rules.forget(contact, request),
        )
        self._contacts.load(stream)  # folds it: nothing personal stays in memory
        return done

    def search(self, request: SearchContacts, context: CallContext) -> ContactPage:
        """Find people."""
        del context
        return self._list.search(request)

    def contact(self, request: GetContact, context: CallContext) -> ContactView:
        """Return one contact. Raises ContactUnknown."""
        del context
        return self._list.contact(request)

    def recipient(self, request: GetContact, context: CallContext) -> Recipient:
        """Return a contact as a recipient, from the stream itself.

        Raises:
            ContactUnknown, ContactErased: nobody is there to write to.
        """
        del context
        contact = self._contacts.load(_stream(request.contact_id)).state
        details = rules.require(contact)
        return Recipient(
            contact_id=request.contact_id,
            kind=details.kind,
            formal_name=details.formal_name,
            salutation=details.salutation,
            family=details.surname,
            initials=initials_of(details.given, details.family),
            email=details.email,
            masked_email=masked(details.email),
            facts=details.facts,
            stops=contact.stops,
        )

    def _run(
        self,
        contact_id: str,
        context: CallContext,
        decide: Decide,
    ) -> Done:
        return self._contacts.run(_stream(contact_id), context, decide, ref=contact_id)

    def _details(self, contact_id: str) -> Details:
        return rules.require(self._contacts.load(_stream(contact_id)).state)

    def _details_or_unknown(self, contact_id: str) -> Details:
        try:
            return self._details(contact_id)
        except ContactErased:
            raise ContactUnknown from None


def _stream(contact_id: str) -> str:
    return f"crm.contact-{contact_id}"
