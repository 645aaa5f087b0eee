"""THE composition root: the only module that imports every wiring.

It opens one data folder, joins every service over it and puts the gates around them.
Nothing runs until somebody starts what is returned here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.audit.api import AuditApi
from services.audit.wiring import AuditParts, build_audit
from services.crm.api import CrmApi
from services.crm.wiring import CrmParts, build_crm
from services.envelope.adapters.smtp import SmtpRelay
from services.envelope.api import EnvelopeApi
from services.envelope.wiring import EnvelopeParts, build_envelope
from services.ground import SERVICES, Ground, grounded, keks_of, remains_in
from services.letters.api import LettersApi
from services.letters.wiring import LettersParts, build_letters
from services.policy import POLICY
from services.portal.api import StaffApi
from services.portal.wiring import PortalParts, build_portal
from shared.blobs import FileBlobs
from shared.clock import Clock
from shared.crypto.kek import Keks, create_kek
from shared.crypto.passwords import PasswordHasher
from shared.crypto.tombstones import Tombstones
from shared.eventstore.port import EventStore
from shared.failpoints import Failpoints
from shared.follow import Follower, Projection
from shared.messaging.pairs import create_pairs
from shared.react import Reaction, Reactor
from shared.readmodel import ReadModel
from shared.settings import DataFolder, Settings, SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Apis:
    """The operations of every service, as one caller may use them."""

    crm: CrmApi
    letters: LettersApi
    envelope: EnvelopeApi
    audit: AuditApi
    staff: StaffApi


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What follows the store on behalf of one service."""

    service: str
    store: EventStore
    readmodel: ReadModel
    projections: Sequence[Projection]
    reactions: Sequence[Reaction]

    def follower(self, run: Path) -> Follower:
        """Return what keeps the read models going; its lock lies in `run`."""
        lock = run / f"follow-{self.service}.lock"
        return Follower(self.store, self.readmodel, self.projections, lock=lock)

    def reactor(self, run: Path) -> Reactor:
        """Return what carries out the reactions; its lock lies in `run`."""
        lock = run / f"react-{self.service}.lock"
        return Reactor(self.store, self.readmodel, self.reactions, lock=lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """Every service, joined over one data folder."""

    settings: Settings
    clock: Clock
    store: EventStore  # without keys: metadata and public fields only
    apis: Callable[[str], Apis]  # caller -> its view of the operations
    envelope: EnvelopeParts
    followed: tuple[Followed, ...]

    def followers(self) -> list[Follower | Reactor]:
        """Return what keeps read models and reactions going, each with its lock."""
        run = self.settings.folder.run
        going: list[Follower | Reactor] = []
        for part in self.followed:
            going.append(part.follower(run))
            if part.reactions:
                going.append(part.reactor(run))
        return going


def holds_organisation(folder: DataFolder) -> bool:
    """Say whether there is data in the folder: whether it has a key."""
    return folder.keys.exists() and bool(Keks(folder.keys).versions())


def create_data(folder: DataFolder) -> None:
    """Make an empty data folder with its first key.

    Raises:
        SettingsError: it holds data already, be it without its key, or others can touch
            it.
    """
    folder.create()
    if holds_organisation(folder):
        message = f"{folder.path} holds an organisation already; nothing was changed"
        raise SettingsError(message)
    if remains_in(folder):  # never a new key over what an old one sealed
        keks_of(folder)
    Tombstones(folder.tombstones, Keks(folder.keys)).create()
    create_kek(folder.keys)
    create_pairs(folder.keys / "pairs", pairs())


def pairs() -> set[tuple[str, str]]:
    """Return who calls whom, `(caller, service)`, as the policy has it."""
    return {
        (caller, service)
        for (service, _), (_, callers, _) in POLICY.items()
        for caller in callers
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One service by itself, its neighbours reached through `Apis`."""

    handlers: object
    followed: Followed
    envelope: EnvelopeParts | None = None


@contextmanager
def opened(
    settings: Settings,
    *,
    clock: Clock | None = None,
    failpoints: Failpoints | None = None,
) -> Iterator[Core]:
    """Join every service over the data folder; close its files at the end.

    Raises:
        SettingsError: the folder is not there, or not fit to start with.
    """
    with grounded(settings, clock=clock, failpoints=failpoints) as ground:
        yield _join(ground)


def build_part(service: str, ground: Ground, others: Apis) -> Part:
    """Build one service over its ground; `others` is what it may ask of the rest.

    Raises:
        SettingsError: there is no such service.
    """
    match service:
        case "crm":
            crm = _crm(ground)
            return Part(
                handlers=crm.handlers,
                followed=_followed("crm", ground, crm.projections, crm.reactions),
            )
        case "letters":
            letters = _letters(ground)
            return Part(
                handlers=letters.handlers,
                followed=_followed(
                    "letters", ground, letters.projections, letters.reactions
                ),
            )
        case "audit":
            audit = _audit(ground)
            return Part(
                handlers=audit.handlers,
                followed=_followed("audit", ground, audit.projections, ()),
            )
        case "envelope":
            envelope = _envelope(ground, others.crm, others.letters, others.audit)
            return Part(
                handlers=envelope.handlers,
                followed=_followed(
                    "envelope", ground, envelope.projections, envelope.reactions
                ),
                envelope=envelope,
            )
        case "portal":
            portal = _portal(ground)
            return Part(
                handlers=portal.handlers,
                followed=_followed("portal", ground, portal.projections, ()),
            )
        case _:
            message = f"there is no service {service!r}; there are: " + ", ".join(
                SERVICES
            )
            raise SettingsError(message)


def _crm(ground: Ground) -> CrmParts:
    on = ground.footings["crm"]
    return build_crm(
        store=on.store,
        clock=ground.clock,
        keyring=on.keyring,
        readmodel=on.readmodel,
    )


def _letters(ground: Ground) -> LettersParts:
    on = ground.footings["letters"]
    return build_letters(
        store=on.store,
        clock=ground.clock,
        keyring=on.keyring,
        readmodel=on.readmodel,
    )


def _audit(ground: Ground) -> AuditParts:
    on = ground.footings["audit"]
    return build_audit(store=ground.bare, keyring=on.keyring, readmodel=on.readmodel)


def _envelope(
    ground: Ground, crm: CrmApi, letters: LettersApi, audit: AuditApi
) -> EnvelopeParts:
    on, settings = ground.footings["envelope"], ground.settings
    return build_envelope(
        store=on.store,
        clock=ground.clock,
        keyring=on.keyring,
        readmodel=on.readmodel,
        counts=ground.counts("envelope"),
        blobs=FileBlobs(settings.folder.blobs),
        crm=crm,
        letters=letters,
        audit=audit,
        relay=SmtpRelay(settings.smtp_host, settings.smtp_port),
        viewer_url=viewer_url(settings),
        undo_window=settings.undo_window,
        failpoints=ground.failpoints,
        link_life=settings.link_life,
        lock=settings.folder.run / "postman.lock",
    )


def _portal(ground: Ground) -> PortalParts:
    on = ground.footings["portal"]
    return build_portal(
        store=on.store,
        clock=ground.clock,
        keyring=on.keyring,
        readmodel=on.readmodel,
        hasher=PasswordHasher(),
    )


def _join(ground: Ground) -> Core:
    gates = {service: ground.gate(service) for service in SERVICES}
    crm, letters, audit = _crm(ground), _letters(ground), _audit(ground)
    portal = _portal(ground)
    envelope = _envelope(
        ground,
        gates["crm"].around(crm.handlers, caller="envelope"),
        gates["letters"].around(letters.handlers, caller="envelope"),
        gates["audit"].around(audit.handlers, caller="envelope"),
    )

    def apis(caller: str) -> Apis:
        return Apis(
            crm=gates["crm"].around(crm.handlers, caller=caller),
            letters=gates["letters"].around(letters.handlers, caller=caller),
            envelope=gates["envelope"].around(envelope.handlers, caller=caller),
            audit=gates["audit"].around(audit.handlers, caller=caller),
            staff=gates["portal"].around(portal.handlers, caller=caller),
        )

    return Core(
        settings=ground.settings,
        clock=ground.clock,
        store=ground.bare,
        apis=apis,
        envelope=envelope,
        followed=(
            _followed("crm", ground, crm.projections, crm.reactions),
            _followed("letters", ground, letters.projections, letters.reactions),
            _followed("envelope", ground, envelope.projections, envelope.reactions),
            _followed("audit", ground, audit.projections, ()),
            _followed("portal", ground, portal.projections, ()),
        ),
    )


def portal_url(settings: Settings) -> str:
    """Return the portal's base address, as set or as it listens."""
    if settings.portal_base:
        return settings.portal_base
    return f"{_scheme(settings)}://{settings.host}:{settings.portal_port}"


def viewer_url(settings: Settings) -> str:
    """Return the viewer's base address: another host name, so cookies are apart."""
    if settings.viewer_base:
        return settings.viewer_base
    host = "localhost" if settings.host == "127.0.0.1" else settings.host
    return f"{_scheme(settings)}://{host}:{settings.viewer_port}"


def _scheme(settings: Settings) -> str:
    return "https" if settings.certificate else "http"


def _followed(
    service: str,
    ground: Ground,
    projections: Sequence[Projection],
    reactions: Sequence[Reaction],
) -> Followed:
    on = ground.footings[service]
    return Followed(
        service=service,
        store=ground.bare if service == "audit" else on.store,
        readmodel=on.readmodel,
        projections=projections,
        reactions=reactions,
    )
