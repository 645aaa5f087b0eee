"""The ground that services stand on: one data folder, opened; gates by the policy.

Knows no wiring: a process may open it for one service alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.policy import POLICY, SPEAKS_FOR
from shared.clock import Clock, SystemClock
from shared.codec import EventCodec
from shared.crypto.kek import Keks
from shared.crypto.keyring import Keyring
from shared.crypto.tombstones import Tombstones
from shared.eventstore.coded import CodedStore
from shared.eventstore.port import EventStore, Journal
from shared.eventstore.sqlite import SqliteJournal
from shared.failpoints import Failpoints, Nowhere
from shared.gate import Gate, Rule, Voice
from shared.messaging.port import Hints
from shared.readmodel import ReadModel, open_readmodel
from shared.settings import DataFolder, Settings, SettingsError

SERVICES: Final = ("crm", "letters", "envelope", "audit", "portal")
PATIENCE: Final = 5.0  # s a call to the servers may take, repeats included
FRONTS: Final = frozenset({"portal", "viewer"})
VOICES: Final = {
    speaker: Voice(roles=frozenset(roles), names=frozenset(names))
    for speaker, (roles, names) in SPEAKS_FOR.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """What one service stands on: its coded store, its keys, its read models."""

    store: EventStore
    keyring: Keyring
    readmodel: ReadModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """An opened data folder, for the services named."""

    settings: Settings
    clock: Clock
    failpoints: Failpoints
    bare: EventStore  # without keys
    footings: Mapping[str, Footing]
    stack: ExitStack  # of what is closed at the end

    def counts(self, service: str) -> ReadModel:
        """Open the counts of a service: apart from its lists, whose writer is busy."""
        counts = ReadModel(open_readmodel(self.settings.folder.counts(service)))
        self.stack.callback(counts.close)
        with counts.connect():
            return counts  # a file that is no database is told now, not by a request

    def gate(self, service: str) -> Gate:
        """Return the gate around the operations of a service."""
        store = self.footings[service].store
        return Gate(
            service,
            rules_of(service),
            store,
            self.clock,
            fronts=FRONTS,
            voices=VOICES,
        )


def remains_in(folder: DataFolder) -> Path | None:
    """Return something that only a key made before can read; None if there is none."""
    for pattern in ("store.db", "keys/*.db", "read/*.db", "blobs/*", "tombstones.log"):
        for found in folder.path.glob(pattern):
            if found.name != "tombstones.log" or found.stat().st_size:
                return found
    return None


def keks_of(folder: DataFolder) -> Keks:
    """Return the key-encryption keys of a folder, each of them fit for use.

    Raises:
        SettingsError: there are none, and says whether to begin or to put them back;
            or one is not fit.
    """
    keks = Keks(folder.keys)
    if not (folder.keys.exists() and keks.versions()):
        message = f"{folder.path} holds no organisation; run: letterlock init"
        if found := remains_in(folder):
            message = (
                f"{folder.keys}/kek-<n> is gone, and {found} needs it;"
                " put it back from the key backup"
            )
        raise SettingsError(message)
    for version in keks.versions():
        keks.get(version)  # a key file that is not fit is told now, not by a request
    return keks


def refuse_lost_keys(settings: Settings) -> None:
    """Look, before a first key is made, whether the servers hold facts already.

    Raises:
        SettingsError: they do, and no new key can open those.
        StoreUnavailable: they did not answer.
    """
    if settings.store_uri is None:
        return
    with closing(_on_servers(settings, settings.store_uri)) as journal:
        if any(journal.read_all(0, 1)):
            message = (
                f"the store at LETTERLOCK_STORE_URI holds facts already, and"
                f" {settings.folder.keys} no key for them; put the data folder's keys"
                " back from the key backup, or choose an empty store"
            )
            raise SettingsError(message)


@contextmanager
def grounded(
    settings: Settings,
    *,
    services: Sequence[str] = SERVICES,
    clock: Clock | None = None,
    failpoints: Failpoints | None = None,
    hints: Hints | None = None,
    over: Callable[[SqliteJournal], Journal] | None = None,
) -> Iterator[Ground]:
    """Open the data folder on behalf of `services`; close its files at the end.

    Facts are kept on servers if the settings name some, otherwise in the folder.
    `hints` carry news of facts between processes; `over` may wrap the folder's.

    Raises:
        SettingsError: the folder is not there, or not fit to start with; or the way to
            the servers is not.
    """
    folder = settings.folder
    keks = keks_of(folder)
    folder.create()
    tombstones = Tombstones(folder.tombstones, keks)
    with ExitStack() as stack:
        if settings.store_uri is None:
            file = SqliteJournal(folder.store, hints)
            stack.callback(file.close)
            journal = over(file) if over else file
        else:
            journal = _on_servers(settings, settings.store_uri)
            stack.callback(journal.close)
        footings: dict[str, Footing] = {}
        for service in services:
            keyring = Keyring(
                service, folder.key_db(service), keks=keks, tombstones=tombstones
            )
            stack.callback(keyring.close)
            keyring.prove_keks()
            keyring.replay_tombstones()
            readmodel = ReadModel(open_readmodel(folder.read(service)))
            stack.callback(readmodel.close)
            with readmodel.connect():
                pass  # a file that is no database is told now, not by a request
            footings[service] = Footing(
                store=CodedStore(journal, EventCodec(service, keyring)),
                keyring=keyring,
                readmodel=readmodel,
            )
        yield Ground(
            settings=settings,
            clock=clock or SystemClock(),
            failpoints=failpoints or Nowhere(),
            bare=CodedStore(journal, EventCodec("none")),
            footings=footings,
            stack=stack,
        )


def _on_servers(settings: Settings, uri: str) -> Journal:
    # Loads a library that no process without these servers needs; `services.rpc` has
    # its native modules in place here.
    if uri.partition("://")[0] in {"postgresql", "postgres"}:
        from shared.eventstore.postgres import Address, PostgresJournal  # noqa: PLC0415

        address = Address.from_uri(
            uri, ca=settings.store_ca, credentials=settings.store_account
        )
        return PostgresJournal(address, patience=PATIENCE)
    from shared.eventstore.kurrent import Cluster, KurrentJournal  # noqa: PLC0415

    cluster = Cluster.from_uri(
        uri, ca=settings.store_ca, credentials=settings.store_account
    )
    return KurrentJournal(cluster, patience=PATIENCE)


def rules_of(service: str) -> dict[str, Rule]:
    """Return the rules of a service's operations, as the policy has them."""
    return {
        operation: Rule(
            callers=frozenset(callers),
            roles=frozenset(roles),
            writes=kind == "command",
        )
        for (owner, operation), (kind, callers, roles) in POLICY.items()
        if owner == service
    }
