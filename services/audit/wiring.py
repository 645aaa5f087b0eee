"""How the evidence service is put together."""

from __future__ import annotations

from dataclasses import dataclass

from services.audit.api import AuditApi
from services.audit.handlers import AuditHandlers
from services.audit.ports import IdentityKeys
from services.audit.projections import TrailProjection
from services.audit.queries import TrailQueries
from shared.eventstore.port import EventStore
from shared.follow import Projection
from shared.react import Reaction
from shared.readmodel import ReadModel


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditParts:
    """What this service offers to whoever runs it."""

    handlers: AuditApi
    projections: tuple[Projection, ...]
    reactions: tuple[Reaction, ...] = ()


def build_audit(
    store: EventStore, keyring: IdentityKeys, readmodel: ReadModel
) -> AuditParts:
    """Join handlers, keys and the trail.

    Its projections are to follow a store whose codec holds no keys, with the event
    modules of all services imported.
    """
    del store  # no operation of this service appends a fact, or reads past the trail
    return AuditParts(
        handlers=AuditHandlers(keyring, TrailQueries(readmodel)),
        projections=(TrailProjection(),),
    )
