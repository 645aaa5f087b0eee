"""The other profile: the same services in processes of their own, over messages.

Kinds of process: `rpc` (answers other services), `follow` (read models), `work`
(reactions, postman, timers) and `web` (pages). Importing this needs no broker library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

# The errors of every service must be known here, to be raised again by code.
from services.audit import errors as _audit  # noqa: F401  # enters its codes
from services.audit.api import AuditApi
from services.compose import Apis, Part, build_part
from services.crm import errors as _crm  # noqa: F401  # enters its codes
from services.crm.api import CrmApi
from services.envelope import errors as _envelope  # noqa: F401  # enters its codes
from services.envelope.api import EnvelopeApi
from services.ground import Ground, grounded
from services.letters import errors as _letters  # noqa: F401  # enters its codes
from services.letters.api import LettersApi
from services.portal import errors as _portal  # noqa: F401  # enters its codes
from services.portal.api import StaffApi
from shared.clock import Clock, SystemClock
from shared.failpoints import Failpoints
from shared.messaging.client import Client, Patience
from shared.messaging.desk import Desk
from shared.messaging.pairs import Pairs
from shared.messaging.port import Carrier, Hints
from shared.messaging.sealed import Seals, Window
from shared.messaging.wire import operations_of
from shared.settings import Settings, SettingsError

PROTOCOLS: Final[Mapping[str, type]] = {
    "crm": CrmApi,
    "letters": LettersApi,
    "envelope": EnvelopeApi,
    "audit": AuditApi,
    "portal": StaffApi,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What a process needs to speak with the others."""

    carrier: Carrier
    seals: Seals
    clock: Clock
    patience: Patience

    def apis(self, caller: str) -> Apis:
        """Return the operations of every service, asked over the carrier."""
        client = Client(caller, self.carrier, self.seals, self.clock, self.patience)
        return Apis(
            crm=client.of(CrmApi, "crm"),
            letters=client.of(LettersApi, "letters"),
            envelope=client.of(EnvelopeApi, "envelope"),
            audit=client.of(AuditApi, "audit"),
            staff=client.of(StaffApi, "portal"),
        )


def known(service: str) -> str:
    """Return `service`. Raises SettingsError if there is none of that name."""
    if service not in PROTOCOLS:
        message = f"there is no service {service!r}; there are: {', '.join(PROTOCOLS)}"
        raise SettingsError(message)
    return service


def talk_over(carrier: Carrier, settings: Settings, clock: Clock | None = None) -> Talk:
    """Return what speaks over `carrier` with the pair keys of the data folder."""
    return Talk(
        carrier=carrier,
        seals=Seals(Pairs(settings.folder.keys / "pairs")),
        clock=clock or SystemClock(),
        patience=Patience(),
    )


@contextmanager
def stood_up(
    service: str,
    settings: Settings,
    talk: Talk,
    *,
    hints: Hints | None = None,
    failpoints: Failpoints | None = None,
) -> Iterator[tuple[Ground, Part]]:
    """Open the data folder for one service and build it, its neighbours over `talk`.

    Raises:
        SettingsError: no such service, or the folder is not fit to start with.
    """
    with grounded(
        settings,
        services=(service,) if service in PROTOCOLS else (),
        clock=talk.clock,
        hints=hints,
        failpoints=failpoints,
    ) as ground:
        part = build_part(service, ground, talk.apis(service))
        followed = part.followed  # tables are there before the first query, whoever
        followed.readmodel.create(  # starts first
            table for projection in followed.projections for table in projection.tables
        )
        yield ground, part


def desk_of(service: str, ground: Ground, part: Part, talk: Talk) -> Desk:
    """Return what judges and answers messages to a service, behind its gate."""
    gate = ground.gate(service)

    def guarded(caller: str) -> object:
        return gate.around(part.handlers, caller=caller)

    return Desk(
        service,
        operations_of(PROTOCOLS[service]),
        guarded,
        seals=talk.seals,
        window=Window(talk.clock),
        clock=talk.clock,
        patience=talk.patience,
    )
