"""How the contacts service is put together. Assembly only; opens nothing."""

from __future__ import annotations

from dataclasses import dataclass

from services.crm.api import CrmApi
from services.crm.handlers import CrmHandlers
from services.crm.projections import CONTACT_LIST, ContactListProjection
from services.crm.queries import ContactQueries
from services.crm.reactions import DestroyKeys
from services.crm.tables import Vault
from shared.clock import Clock
from shared.crypto.keyring import Keyring
from shared.eventstore.port import EventStore
from shared.follow import Projection
from shared.react import Reaction
from shared.readmodel import ReadModel


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmParts:
    """What this service offers to whoever runs it."""

    handlers: CrmApi
    projections: tuple[Projection, ...]
    reactions: tuple[Reaction, ...]


def build_crm(
    *, store: EventStore, clock: Clock, keyring: Keyring, readmodel: ReadModel
) -> CrmParts:
    """Join the rooms. `store` is coded with this service's sealer, `keyring`."""
    vault = Vault(keyring)
    contacts = ContactQueries(readmodel, vault, CONTACT_LIST)
    return CrmParts(
        handlers=CrmHandlers(store, clock, keyring, contacts),
        projections=(ContactListProjection(vault),),
        reactions=(DestroyKeys(store, clock, keyring),),
    )
