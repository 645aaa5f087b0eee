"""A letters service over stores in memory and real keys; everybody in it is made up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.crm.events import ContactForgotten
from services.letters.api import LettersApi, Rendition
from services.letters.commands import (
    ApprovePage,
    DraftPage,
    FormField,
    IssueLetter,
    Merge,
    PreviewLetter,
    SaveRecord,
    SubmitPage,
    WithdrawPage,
)
from services.letters.wiring import build_letters
from shared.codec import EventCodec
from shared.context import CallContext
from shared.crypto.kek import Keks, create_kek
from shared.crypto.keyring import Keyring
from shared.crypto.tombstones import Tombstones
from shared.events import Event, Recorded
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.follow import Follower
from shared.react import Reactor
from shared.readmodel import ReadModel, open_readmodel
from tests.builders import a_clock, a_context, new

BEN, CAROL, ANNA = "b" * 32, "c" * 32, "a" * 32
TOM, EDITH, LIN, OWEN = "1" * 32, "2" * 32, "3" * 32, "4" * 32
FORM, ANSWER, PLAIN = "165100", "165104", "165120"
KEY = "165100-204817"
STORY = "The bill counts the same week twice, says the heron."
BODY = (
    "{{salutation}}\n\nWe received your complaint on {{request.received}} as "
    "**{{request.number}}**.\n\n{{sender_name}}  \n{{organisation}}, {{today}}"
)
FIELDS = (
    FormField(name="subject", label="About", type="choice", choices=("Bill", "Visit")),
    FormField(name="received", label="Received on", type="date"),
    FormField(name="amount", label="Amount", type="money", required=False),
    FormField(name="story", label="In your own words", type="quotation"),
)
VALUES = {"subject": "Bill", "received": "2026-11-03", "story": STORY}
MERGE = Merge(
    formal_name="Mr Tom Jones",
    salutation="Dear Mr Tom Jones",
    sender_name="Ms Anna Ferris",
    organisation="Harbour & Vale",
)


def by(actor: str, **changes: Any) -> CallContext:
    """Return the context of a fresh command by this person."""
    return a_context(actor_id=actor, **changes)


class House:
    """The service with all its parts, and short ways to use it."""

    def __init__(self, folder: Path) -> None:
        (folder / "keys").mkdir(mode=0o700)
        create_kek(folder / "keys")
        keks = Keks(folder / "keys")
        tombstones = Tombstones(folder / "tombstones.log", keks)
        tombstones.create()
        self.keyring = Keyring(
            "letters", folder / "letters.db", keks=keks, tombstones=tombstones
        )
        self.folder = folder
        self.clock = a_clock()
        self.journal = MemoryJournal()
        self.store = CodedStore(self.journal, EventCodec("letters", self.keyring))
        self.readmodel = ReadModel(open_readmodel(folder / "read.db"))
        parts = build_letters(self.store, self.clock, self.keyring, self.readmodel)
        self.api: LettersApi = parts.handlers
        self.follower = Follower(self.store, self.readmodel, parts.projections)
        self.reactor = Reactor(self.store, self.readmodel, parts.reactions)
        self.follower.prepare()
        self.reactor.prepare()

    def close(self) -> None:
        self.follower.close()
        self.reactor.close()
        self.readmodel.close()
        self.keyring.close()

    def follow(self) -> None:
        while self.follower.run_once():
            pass
        assert self.follower.failure is None

    def react(self) -> None:
        while self.reactor.run_once():
            pass
        assert self.reactor.failure is None

    def facts(self) -> list[Recorded]:
        return list(self.store.read_all(0, 1000))

    def kinds(self) -> list[str]:
        return [record.event.type_name for record in self.facts()]

    def tell(self, stream: str, event: Event) -> None:
        last = [r.version for r in self.facts() if r.stream == stream]
        self.store.append(stream, [new(event)], expected=last[-1] if last else -1)

    def draft(self, number: str, **fields: Any) -> str:
        plain = {"number": number, "title": "Some title", "body": ""}
        request = DraftPage(**(plain | fields))
        return self.api.draft(request, by(BEN)).ref

    def approve(self, number: str, revision: int = 1, **how: Any) -> None:
        self.api.submit(SubmitPage(page=number, revision=revision), by(BEN))
        self.api.approve(ApprovePage(page=number, revision=revision, **how), by(CAROL))

    def withdraw(self, number: str) -> int:
        request = WithdrawPage(page=number, reason="out of date")
        return self.api.withdraw(request, by(CAROL)).position

    def furnish(self) -> None:
        """Bring a form, the letter that answers it, and a plain letter in force."""
        self.draft(
            FORM, page_type="form", title="Complaint", body="As told:", form=FIELDS
        )
        self.approve(FORM)
        self.draft(ANSWER, title="Complaint acknowledged", body=BODY, answers=FORM)
        self.approve(ANSWER)
        self.draft(PLAIN, title="Welcome", body="{{salutation}}\n\nWelcome.")
        self.approve(PLAIN)

    def record(self, **fields: Any) -> str:
        plain: dict[str, Any] = {
            "page": FORM, "number": KEY, "author_id": TOM, "fields": VALUES,
        }  # fmt: skip
        return self.api.save_record(SaveRecord(**(plain | fields)), by(ANNA)).ref

    def issue(
        self,
        page: str,
        record: str | None = None,
        contact: str = TOM,
        context: CallContext | None = None,
        envelope: str = "e" * 32,
    ) -> Rendition:
        request = IssueLetter(
            page=page,
            record=record,
            contact_id=contact,
            envelope_id=envelope,
            merge=MERGE,
        )
        return self.api.issue(request, context or by(ANNA))

    def preview(
        self,
        page: str,
        record: str | None = None,
        contact: str | None = TOM,
        revision: int = 0,
    ) -> Rendition:
        request = PreviewLetter(
            page=page,
            record=record,
            contact_id=contact,
            merge=MERGE,
            revision=revision,
        )
        return self.api.preview(request, by(ANNA))

    def forget(self, contact: str) -> None:
        event = ContactForgotten(contact_id=contact, reason="asked")
        self.tell(f"crm.contact-{contact}", event)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Build an empty service."""
    built = House(tmp_path)
    yield built
    built.close()


@pytest.fixture
def furnished(house: House) -> House:
    """Build one with a form, its answer and a plain letter, all in force."""
    house.furnish()
    return house
