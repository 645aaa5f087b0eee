"""What the pages are built around: the operations of every service, already gated."""

from __future__ import annotations

from dataclasses import dataclass

from services.audit.api import AuditApi
from services.crm.api import CrmApi
from services.envelope.api import EnvelopeApi
from services.letters.api import LettersApi
from services.portal.api import StaffApi


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalApis:
    """The operations of every service, as the portal may use them."""

    crm: CrmApi
    letters: LettersApi
    envelope: EnvelopeApi
    audit: AuditApi
    staff: StaffApi
