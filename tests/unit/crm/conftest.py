"""A contacts service of its own for each test: real keys, real tables, held time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.crm.commands import ChangeContact, CreateContact, ForgetContact
from services.crm.events import DETAILS
from services.crm.wiring import CrmParts, build_crm
from shared.clock import ManualClock
from shared.codec import EventCodec
from shared.context import CallContext, Done
from shared.crypto.kek import Keks, create_kek
from shared.crypto.keyring import Keyring
from shared.crypto.tombstones import Tombstones
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.follow import Follower
from shared.react import Reactor
from shared.readmodel import ReadModel, open_readmodel
from tests.builders import a_clock, a_context


@dataclass
class World:
    """One running contacts service and what it stands on."""

    parts: CrmParts
    journal: MemoryJournal
    store: CodedStore
    clock: ManualClock
    keyring: Keyring
    readmodel: ReadModel
    follower: Follower
    reactor: Reactor
    folder: Path

    @property
    def crm(self) -> Any:
        return self.parts.handlers

    def catch_up(self) -> None:
        """Let reactions, then projections come to the end of the store."""
        while self.reactor.run_once() + self.follower.run_once():
            pass
        assert self.follower.failure is None
        assert self.reactor.failure is None

    def enter(self, context: CallContext | None = None, **details: str) -> str:
        """Enter a person and show them in the list; Mr Tom Jones unless told."""
        typed = {"title": "Mr", "given": "Tom", "family": "Jones"} | details
        typed.setdefault("email", "tom.jones@people.example")
        done: Done = self.crm.create(CreateContact(**typed), context or a_context())
        self.catch_up()
        return done.ref

    def change(self, contact_id: str, **details: str) -> Done:
        """Change some details of a person, made anew from the rest."""
        state = self.crm._contacts.load(f"crm.contact-{contact_id}").state.details
        names = [
            n for n in ("kind", *DETAILS) if n not in {"formal_name", "salutation"}
        ]
        typed = {name: getattr(state, name) for name in names} | details
        request = ChangeContact(contact_id=contact_id, **typed)
        done: Done = self.crm.change(request, a_context())
        self.catch_up()
        return done

    def forget(self, contact_id: str) -> Done:
        """Erase a person, all the way."""
        done: Done = self.crm.forget(
            ForgetContact(contact_id=contact_id, reason="person_asked"), a_context()
        )
        self.catch_up()
        return done

    def types(self, stream: str) -> list[str]:
        """Return the type names of a stream's facts."""
        return [record.event.type_name for record in self.store.read(stream)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "keys").mkdir(mode=0o700)
    create_kek(tmp_path / "keys")
    keks = Keks(tmp_path / "keys")
    tombstones = Tombstones(tmp_path / "tombstones.log", keks)
    tombstones.create()
    keyring = Keyring(
        "crm", tmp_path / "keys" / "crm.db", keks=keks, tombstones=tombstones
    )
    journal, clock = MemoryJournal(), a_clock()
    store = CodedStore(journal, EventCodec("crm", keyring))
    readmodel = ReadModel(open_readmodel(tmp_path / "read" / "crm.db"))
    parts = build_crm(store=store, clock=clock, keyring=keyring, readmodel=readmodel)
    follower = Follower(store, readmodel, parts.projections)
    reactor = Reactor(store, readmodel, parts.reactions)
    follower.prepare()
    reactor.prepare()
    yield World(
        parts=parts,
        journal=journal,
        store=store,
        clock=clock,
        keyring=keyring,
        readmodel=readmodel,
        follower=follower,
        reactor=reactor,
        folder=tmp_path,
    )
    follower.close()
    reactor.close()
    readmodel.close()
    keyring.close()
