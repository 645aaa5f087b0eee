"""The choices link: which stops stand, and setting or lifting them."""

from __future__ import annotations

from typing import Final

from services.crm.commands import SetStop
from services.crm.errors import ContactErased, ContactUnknown
from services.envelope.api import Choices
from services.envelope.commands import GetChoices, SetChoice
from services.envelope.errors import EnvelopeUnknown
from services.envelope.handlers.finding import Finder
from services.envelope.handlers.tools import Tools
from shared.context import CallContext, Done

WORDING: Final = "choices-1"
"""Version of the text that stands beside the choices on the viewer's page."""


class Chooser:
    """The operations `choices` and `choose`. Their link does not expire (PECR 23)."""

    def __init__(self, tools: Tools, finder: Finder) -> None:
        """Work with `tools`; recognise tokens by `finder`."""
        self._tools = tools
        self._finder = finder

    def choices(self, request: GetChoices, context: CallContext) -> Choices:
        """As `EnvelopeApi.choices`."""
        organisation = self._tools.organisation()
        row = self._finder.row(request.token, "choices")
        if row is None:
            return Choices(state="unknown", organisation=organisation)
        recipient = self._tools.recipient(row.contact_id, context)
        if recipient is None:
            return Choices(state="unknown", organisation=organisation)
        return Choices(
            state="open",
            organisation=organisation,
            stops=recipient.stops,
            masked_email=recipient.masked_email,
        )

    def choose(self, request: SetChoice, context: CallContext) -> Done:
        """As `EnvelopeApi.choose`; also raises what `CrmApi.set_stop` raises."""
        row = self._finder.row(request.token, "choices")
        if row is None:
            raise EnvelopeUnknown
        try:
            return self._tools.crm.set_stop(
                SetStop(
                    contact_id=row.contact_id,
                    stop=request.stop,
                    stopped=request.stopped,
                    door="link",
                    wording=WORDING,
                ),
                # named by what is asked: a repeat of it is one, its opposite is not
                context.step(f"choice/{request.stop}/{request.stopped}"),
            )
        except (ContactErased, ContactUnknown):
            raise EnvelopeUnknown from None
