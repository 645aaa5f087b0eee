"""Who asks here: somebody with a link or a ticket, and never more than that."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from services.envelope.api import EnvelopeApi, Organisation
from services.envelope.commands import GetOrganisation
from shared.context import CallContext
from shared.errors import Malformed
from shared.ids import mint

TOKEN: Final = re.compile(r"[a-z2-7]{32}")
TICKET: Final = "__Host-ll-ticket"


def asking(command_id: UUID | None = None, *, anonymous: bool = False) -> CallContext:
    """Return the context of one request.

    `anonymous` marks a mere fetch: it may be a machine, so nobody is named.
    """
    chosen = command_id or mint()
    return CallContext(
        command_id=chosen,
        correlation_id=chosen,
        actor_id="unknown" if anonymous else "recipient",
        actor_kind="anonymous" if anonymous else "recipient",
        role="recipient",
    )


def command_id_of(text: str) -> UUID:
    """Return the id minted when the form was rendered.

    Raises:
        Malformed: the field was tampered with.
    """
    try:
        return UUID(text)
    except ValueError:
        raise Malformed("The form is not complete; load the page again.") from None


def organisation_of(envelope: EnvelopeApi) -> Organisation:
    """Return who the organisation is, for pages without a link."""
    return envelope.organisation(GetOrganisation(), asking(anonymous=True))
