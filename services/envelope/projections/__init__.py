"""Read models of the envelope service, rebuilt from the facts at any time."""

from __future__ import annotations

from services.envelope.projections.links import LinksProjection
from services.envelope.projections.messages import MessagesProjection
from services.envelope.projections.outbox import OutboxProjection

__all__ = ["LinksProjection", "MessagesProjection", "OutboxProjection"]
