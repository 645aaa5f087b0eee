"""How the staff operations of the portal are put together. Its pages are not: `web`."""

from __future__ import annotations

from dataclasses import dataclass

from services.portal.adapters.randomness import SystemSecrets
from services.portal.api import StaffApi
from services.portal.handlers.registry import Registry
from services.portal.handlers.staff import StaffHandlers
from services.portal.ports import Hasher, IndexKeys, Secrets
from services.portal.projections import StaffProjection
from services.portal.queries import StaffDirectory
from shared.clock import Clock
from shared.eventstore.port import EventStore
from shared.follow import Projection
from shared.react import Reaction
from shared.readmodel import ReadModel


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalParts:
    """What this service offers to whoever runs it, its pages apart."""

    handlers: StaffApi
    projections: tuple[Projection, ...]
    reactions: tuple[Reaction, ...] = ()  # it holds no contact's keys


def build_portal(
    store: EventStore,
    clock: Clock,
    keyring: IndexKeys,
    readmodel: ReadModel,
    hasher: Hasher,
    secrets: Secrets | None = None,
) -> PortalParts:
    """Join handlers, streams and the list; `secrets` are the machine's unless given."""
    handlers = StaffHandlers(
        Registry(store, clock, keyring),
        StaffDirectory(readmodel),
        clock,
        hasher,
        secrets or SystemSecrets(),
    )
    return PortalParts(handlers=handlers, projections=(StaffProjection(),))
