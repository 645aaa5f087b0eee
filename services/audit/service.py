"""How other services reach the evidence service: translate, delegate, nothing else."""

from __future__ import annotations

from services.audit.api import AuditApi, Trail
from services.audit.commands import GetTimeline, GetTrail, SealIdentity
from shared.context import CallContext
from shared.messaging.nameko_typed import provided, rpc


class AuditService:
    """RPC entry points. Each method is one operation of `AuditApi`."""

    name = "audit"
    api: AuditApi = provided("audit")

    @rpc
    def seal_identity(self, request: SealIdentity, context: CallContext) -> bytes:
        """Return name and address sealed; only two officers together open them."""
        return self.api.seal_identity(request, context)

    @rpc
    def timeline(self, request: GetTimeline, context: CallContext) -> Trail:
        """Return one envelope's facts. Raises TrailUnknown."""
        return self.api.timeline(request, context)

    @rpc
    def trail(self, request: GetTrail, context: CallContext) -> Trail:
        """Return the trail, filtered."""
        return self.api.trail(request, context)


SERVICE = AuditService
