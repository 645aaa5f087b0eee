"""How other services reach the contacts service: translate, delegate, nothing else."""

from __future__ import annotations

from services.crm.api import (
    CodeMail,
    ContactPage,
    ContactView,
    CrmApi,
    Permit,
    Recipient,
)
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
from shared.context import CallContext, Done
from shared.messaging.nameko_typed import provided, rpc


class CrmService:
    """RPC entry points. Each method is one operation of `CrmApi`."""

    name = "crm"
    api: CrmApi = provided("crm")

    @rpc
    def create(self, request: CreateContact, context: CallContext) -> Done:
        """Enter a person; `ref` is the contact id. Raises ContactInvalid."""
        return self.api.create(request, context)

    @rpc
    def change(self, request: ChangeContact, context: CallContext) -> Done:
        """Replace details. Raises ContactUnknown, ContactInvalid, ContactErased."""
        return self.api.change(request, context)

    @rpc
    def set_stop(self, request: SetStop, context: CallContext) -> Done:
        """Record a choice. Raises ContactUnknown, ContactErased, ContactInvalid."""
        return self.api.set_stop(request, context)

    @rpc
    def permit(self, request: PermitSend, context: CallContext) -> Permit:
        """Grant one. Raises ContactUnknown, ContactHasStopped, ContactErased."""
        return self.api.permit(request, context)

    @rpc
    def issue_code(self, request: IssueCode, context: CallContext) -> Done:
        """Make a code; `ref` is its id. Raises ContactErased, CodeLocked."""
        return self.api.issue_code(request, context)

    @rpc
    def read_code(self, request: ReadCode, context: CallContext) -> CodeMail:
        """Return a live code for mailing. Raises ContactUnknown."""
        return self.api.read_code(request, context)

    @rpc
    def check_code(self, request: CheckCode, context: CallContext) -> bool:
        """Try a code; True uses it up. Raises CodeLocked after five wrong ones."""
        return self.api.check_code(request, context)

    @rpc
    def check_fact(self, request: CheckFact, context: CallContext) -> bool:
        """Compare a known fact, forgiving case, spaces and punctuation."""
        return self.api.check_fact(request, context)

    @rpc
    def forget(self, request: ForgetContact, context: CallContext) -> Done:
        """Erase a person. Raises ContactUnknown."""
        return self.api.forget(request, context)

    @rpc
    def search(self, request: SearchContacts, context: CallContext) -> ContactPage:
        """Find people."""
        return self.api.search(request, context)

    @rpc
    def contact(self, request: GetContact, context: CallContext) -> ContactView:
        """Return one contact. Raises ContactUnknown."""
        return self.api.contact(request, context)

    @rpc
    def recipient(self, request: GetContact, context: CallContext) -> Recipient:
        """Return a contact as a recipient. Raises ContactUnknown, ContactErased."""
        return self.api.recipient(request, context)


SERVICE = CrmService
