"""THE composition root: the only module that imports every wiring.

It opens one data folder, joins every service over it and puts the gates around them.
Nothing runs until somebody starts what is returned here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from services.audit.api import AuditApi
from services.audit.wiring import build_audit
from services.crm.api import CrmApi
from services.crm.wiring import build_crm
from services.envelope.adapters.smtp import SmtpRelay
from services.envelope.api import EnvelopeApi
from services.envelope.wiring import EnvelopeParts, build_envelope
from services.letters.api import LettersApi
from services.letters.wiring import build_letters
from services.policy import POLICY
from services.portal.api import StaffApi
from services.portal.wiring import build_portal
from shared.blobs import FileBlobs
from shared.clock import Clock, SystemClock
from shared.codec import EventCodec
from shared.crypto.kek import Keks, create_kek
from shared.crypto.keyring import Keyring
from shared.crypto.passwords import PasswordHasher
from shared.crypto.tombstones import Tombstones
from shared.eventstore.coded import CodedStore
from shared.eventstore.port import EventStore
from shared.eventstore.sqlite import SqliteJournal
from shared.failpoints import Failpoints, Nowhere
from shared.follow import Follower, Projection
from shared.gate import Gate, Rule
from shared.react import Reaction, Reactor
from shared.readmodel import ReadModel, open_readmodel
from shared.settings import DataFolder, Settings, SettingsError

SERVICES: Final = ("crm", "letters", "envelope", "audit", "portal")
FRONTS: Final = frozenset({"portal", "viewer"})


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
            going.append(
                Follower(
                    part.store,
                    part.readmodel,
                    part.projections,
                    lock=run / f"follow-{part.service}.lock",
                )
            )
            if part.reactions:
                going.append(
                    Reactor(
                        part.store,
                        part.readmodel,
                        part.reactions,
                        lock=run / f"react-{part.service}.lock",
                    )
                )
        return going


def holds_organisation(folder: DataFolder) -> bool:
    """Say whether there is data in the folder: whether it has a key."""
    return folder.keys.exists() and bool(Keks(folder.keys).versions())


def create_data(folder: DataFolder) -> None:
    """Make an empty data folder with its first key.

    Raises:
        SettingsError: it holds data already, or others can touch it.
    """
    folder.create()
    if holds_organisation(folder):
        message = f"{folder.path} holds an organisation already; nothing was changed"
        raise SettingsError(message)
    create_kek(folder.keys)
    Tombstones(folder.tombstones, Keks(folder.keys)).create()


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
    clock = clock or SystemClock()
    folder = settings.folder
    keks = Keks(folder.keys)
    if not holds_organisation(folder):
        message = f"{folder.path} holds no organisation; run: letterlock init"
        raise SettingsError(message)
    folder.create()
    tombstones = Tombstones(folder.tombstones, keks)
    with ExitStack() as stack:
        journal = SqliteJournal(folder.store)
        stack.callback(journal.close)
        keyrings: dict[str, Keyring] = {}
        readmodels: dict[str, ReadModel] = {}
        stores: dict[str, EventStore] = {}
        for service in SERVICES:
            keyring = Keyring(
                service, folder.key_db(service), keks=keks, tombstones=tombstones
            )
            stack.callback(keyring.close)
            keyring.replay_tombstones()
            readmodel = ReadModel(open_readmodel(folder.read(service)))
            stack.callback(readmodel.close)
            keyrings[service], readmodels[service] = keyring, readmodel
            stores[service] = CodedStore(journal, EventCodec(service, keyring))
        yield _join(
            settings,
            clock,
            failpoints or Nowhere(),
            bare=CodedStore(journal, EventCodec("none")),
            stores=stores,
            keyrings=keyrings,
            readmodels=readmodels,
        )


def _join(
    settings: Settings,
    clock: Clock,
    failpoints: Failpoints,
    *,
    bare: EventStore,
    stores: Mapping[str, EventStore],
    keyrings: Mapping[str, Keyring],
    readmodels: Mapping[str, ReadModel],
) -> Core:
    gates = {
        service: Gate(service, _rules(service), stores[service], clock, fronts=FRONTS)
        for service in SERVICES
    }
    crm = build_crm(
        store=stores["crm"],
        clock=clock,
        keyring=keyrings["crm"],
        readmodel=readmodels["crm"],
    )
    letters = build_letters(
        store=stores["letters"],
        clock=clock,
        keyring=keyrings["letters"],
        readmodel=readmodels["letters"],
    )
    audit = build_audit(
        store=bare, keyring=keyrings["audit"], readmodel=readmodels["audit"]
    )
    envelope = build_envelope(
        store=stores["envelope"],
        clock=clock,
        keyring=keyrings["envelope"],
        readmodel=readmodels["envelope"],
        blobs=FileBlobs(settings.folder.blobs),
        crm=gates["crm"].around(crm.handlers, caller="envelope"),
        letters=gates["letters"].around(letters.handlers, caller="envelope"),
        audit=gates["audit"].around(audit.handlers, caller="envelope"),
        relay=SmtpRelay(settings.smtp_host, settings.smtp_port),
        viewer_url=viewer_url(settings),
        undo_window=settings.undo_window,
        failpoints=failpoints,
        link_life=settings.link_life,
        lock=settings.folder.run / "postman.lock",
    )
    portal = build_portal(
        store=stores["portal"],
        clock=clock,
        keyring=keyrings["portal"],
        readmodel=readmodels["portal"],
        hasher=PasswordHasher(),
    )

    def apis(caller: str) -> Apis:
        return Apis(
            crm=gates["crm"].around(crm.handlers, caller=caller),
            letters=gates["letters"].around(letters.handlers, caller=caller),
            envelope=gates["envelope"].around(envelope.handlers, caller=caller),
            audit=gates["audit"].around(audit.handlers, caller=caller),
            staff=gates["portal"].around(portal.handlers, caller=caller),
        )

    followed = (
        _followed("crm", stores, readmodels, crm.projections, crm.reactions),
        _followed(
            "letters", stores, readmodels, letters.projections, letters.reactions
        ),
        _followed(
            "envelope", stores, readmodels, envelope.projections, envelope.reactions
        ),
        Followed(
            service="audit",
            store=bare,
            readmodel=readmodels["audit"],
            projections=audit.projections,
            reactions=(),
        ),
        _followed("portal", stores, readmodels, portal.projections, ()),
    )
    return Core(
        settings=settings,
        clock=clock,
        store=bare,
        apis=apis,
        envelope=envelope,
        followed=followed,
    )


def portal_url(settings: Settings) -> str:
    """Return the portal's base address."""
    return f"{_scheme(settings)}://{settings.host}:{settings.portal_port}"


def viewer_url(settings: Settings) -> str:
    """Return the viewer's base address: another host name, so cookies are apart."""
    host = "localhost" if settings.host == "127.0.0.1" else settings.host
    return f"{_scheme(settings)}://{host}:{settings.viewer_port}"


def _scheme(settings: Settings) -> str:
    return "https" if settings.certificate else "http"


def _followed(
    service: str,
    stores: Mapping[str, EventStore],
    readmodels: Mapping[str, ReadModel],
    projections: Sequence[Projection],
    reactions: Sequence[Reaction],
) -> Followed:
    return Followed(
        service=service,
        store=stores[service],
        readmodel=readmodels[service],
        projections=projections,
        reactions=reactions,
    )


def _rules(service: str) -> dict[str, Rule]:
    return {
        operation: Rule(
            callers=frozenset(callers),
            roles=frozenset(roles),
            writes=kind == "command",
        )
        for (owner, operation), (kind, callers, roles) in POLICY.items()
        if owner == service
    }
