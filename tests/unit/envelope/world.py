"""The envelope service in a small world: its neighbours are made of memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from services.audit.api import Trail, TrailLine
from services.audit.commands import GetTimeline, GetTrail, SealIdentity
from services.audit.errors import TrailUnknown
from services.crm import api as crm_api
from services.crm import commands as crm
from services.crm.errors import ContactErased, ContactHasStopped, ContactUnknown
from services.crm.events import ContactForgotten, SendPermitted
from services.envelope.api import Sent, Ticket
from services.envelope.commands import (
    DescribeOrganisation,
    OpenEnvelope,
    ReadLetter,
    SendLetter,
)
from services.envelope.handlers.links import Links
from services.envelope.handlers.streams import stream_of
from services.envelope.model.state import Envelope, evolve
from services.envelope.ports import Parcel, Relay, RelayAnswer
from services.envelope.wiring import EnvelopeParts, build_envelope
from services.letters import commands as letters
from services.letters.api import Rendition
from services.letters.errors import LetterNotApproved
from shared.blobs import MemoryBlobs
from shared.codec import EventCodec
from shared.context import CallContext, Done
from shared.crypto.kek import Keks, create_kek
from shared.crypto.keyring import Keyring
from shared.crypto.tombstones import Tombstones
from shared.events import Event, drafted
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.eventstore.port import NO_STREAM
from shared.failpoints import Failpoints, Nowhere
from shared.follow import Follower
from shared.react import Reactor
from shared.readmodel import ReadModel, open_readmodel
from tests.builders import a_clock, a_context

TOM = "a" * 32
EDITH = "b" * 32
ANNA = "Ms Anna Ferris"
TITLE = "Complaint acknowledged, canary-title"
BODY = "<p>Dear Mr Tom Jones, canary-body of five working days</p>"
RECORD = "900001-000123"
VIEWER = "https://letters.example.org"
UNDO = timedelta(seconds=10)
NO_REPLY = RelayAnswer(outcome="deferred", reason="no_reply")
GREYLISTED = RelayAnswer(outcome="deferred", reason="greylisted", code=451)
REJECTED = RelayAnswer(outcome="rejected", reason="rejected", code=550)
BROWSER = "browser-secret-one"
OFFICE = DescribeOrganisation(
    name="Harbour & Vale Water",
    registered_number="00000000",
    registered_office="1 Quay Street, Exampleton",
    help_phone="01632 960100",
    sender_domain="harbourvale.example",
    privacy_url="https://www.harbourvale.example/privacy",
)


class Snapped(BaseException):
    """The process ended here, as far as anyone can tell."""


@dataclass
class SnapAt:
    """Ends at one failpoint, once."""

    name: str = ""
    passed: list[str] = field(default_factory=list)

    def hit(self, name: str) -> None:
        self.passed.append(name)
        if name == self.name:
            self.name = ""
            raise Snapped(name)


@dataclass
class FakeRelay:
    """Accepts everything, unless it was told what to answer next."""

    answers: list[RelayAnswer] = field(default_factory=list)
    taken: list[Parcel] = field(default_factory=list)

    def deliver(self, parcel: Parcel) -> RelayAnswer:
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        if answer.outcome == "accepted" or answer.reason == "no_reply":
            self.taken.append(parcel)
        return answer


ACCEPTED = RelayAnswer(outcome="accepted", code=250, tls=True)


@dataclass
class Person:
    """A contact of the fake crm, with facts on file."""

    recipient: crm_api.Recipient
    facts: dict[str, str]
    look_alikes: tuple[crm_api.ContactRow, ...] = ()
    email_changed_at: datetime | None = None
    erased: bool = False


def a_person(contact_id: str, name: str, **facts: str) -> Person:
    family = name.rsplit(maxsplit=1)[-1]
    return Person(
        recipient=crm_api.Recipient(
            contact_id=contact_id,
            kind="customer",
            formal_name=name,
            salutation=f"Dear {name}",
            family=family,
            initials="".join(word[0] for word in name.split()[1:]),
            email=f"{family.lower()}@canary-mail.example",
            masked_email="t•••@canary-mail.example",
            facts=tuple(facts),
            stops=(),
        ),
        facts={"family_name": family, **facts},
    )


class FakeCrm:
    """Keeps people in memory; grants sendings with real events."""

    def __init__(self, store: CodedStore, clock: object) -> None:
        self.people = {
            TOM: a_person(TOM, "Mr Tom Jones", postcode="ZZ1 1AA"),
            EDITH: a_person(EDITH, "Mrs Edith Holloway"),
        }
        self.codes: dict[str, tuple[str, str]] = {}  # id -> browser, code
        self.chosen: set[UUID] = set()  # commands that set or lifted a stop
        self._store = store
        self._clock = clock

    def stop(self, contact_id: str, *stops: str) -> None:
        person = self.people[contact_id]
        person.recipient = replace(person.recipient, stops=stops)

    def _person(self, contact_id: str) -> Person:
        if contact_id not in self.people:
            raise ContactUnknown
        if self.people[contact_id].erased:
            raise ContactErased
        return self.people[contact_id]

    def recipient(
        self, request: crm.GetContact, context: CallContext
    ) -> crm_api.Recipient:
        return self._person(request.contact_id).recipient

    def contact(
        self, request: crm.GetContact, context: CallContext
    ) -> crm_api.ContactView:
        person = self._person(request.contact_id)
        known = person.recipient
        return crm_api.ContactView(
            contact_id=known.contact_id,
            kind=known.kind,
            title="",
            given="",
            family=known.family,
            formal_name=known.formal_name,
            salutation=known.salutation,
            email=known.email,
            masked_email=known.masked_email,
            postcode="",
            birth_date="",
            customer_reference="",
            company="",
            facts=known.facts,
            stops=known.stops,
            created_at=a_clock().now(),
            email_changed_at=person.email_changed_at,
            look_alikes=person.look_alikes,
        )

    def permit(self, request: crm.PermitSend, context: CallContext) -> crm_api.Permit:
        person = self._person(request.contact_id)
        if set(person.recipient.stops) & {"all", "messages"}:
            raise ContactHasStopped
        stream = f"crm.contact-{request.contact_id}"
        event = SendPermitted(
            contact_id=request.contact_id,
            envelope_id=request.envelope_id,
            purpose=request.purpose,
            attempt=request.attempt,
        )
        position = append(self._store, stream, event, context, self._clock.now())
        return crm_api.Permit(
            position=position,
            formal_name=person.recipient.formal_name,
            email=person.recipient.email,
        )

    def issue_code(self, request: crm.IssueCode, context: CallContext) -> Done:
        self._person(request.contact_id)
        code_id = str(context.command_id)
        self.codes[code_id] = (request.browser, "482113")
        return Done(position=1, ref=code_id)

    def read_code(
        self, request: crm.ReadCode, context: CallContext
    ) -> crm_api.CodeMail:
        person = self._person(request.contact_id)
        if request.code_id not in self.codes:
            raise ContactUnknown
        return crm_api.CodeMail(
            code=self.codes[request.code_id][1],
            email=person.recipient.email,
            formal_name=person.recipient.formal_name,
            expires_at=self._clock.now() + timedelta(minutes=10),
        )

    def check_code(self, request: crm.CheckCode, context: CallContext) -> bool:
        return (request.browser, request.answer) in self.codes.values()

    def check_fact(self, request: crm.CheckFact, context: CallContext) -> bool:
        fact = self._person(request.contact_id).facts.get(request.means, "")
        return bool(fact) and squeezed(fact) == squeezed(request.answer)

    def set_stop(self, request: crm.SetStop, context: CallContext) -> Done:
        if context.command_id in self.chosen:
            return Done(position=1)
        self.chosen.add(context.command_id)
        stops = set(self._person(request.contact_id).recipient.stops)
        (stops.add if request.stopped else stops.discard)(request.stop)
        self.stop(request.contact_id, *sorted(stops))
        return Done(position=1)


def squeezed(text: str) -> str:
    return text.replace(" ", "").casefold()


def append(
    store: CodedStore, stream: str, event: Event, context: CallContext, at: datetime
) -> int:
    history = list(store.read(stream))
    expected = history[-1].version if history else NO_STREAM
    new = drafted([event], context, at=at, stream=stream)
    return store.append(stream, new, expected=expected).position


@dataclass
class FakeLetters:
    """One approved page, 100001; any other is not approved."""

    rendition: Rendition = field(
        default_factory=lambda: Rendition(
            page="100001",
            revision=3,
            letter_hash="c" * 64,
            title=TITLE,
            kind="note",
            letter_class="private",
            purpose="service",
            fact_required=False,
            html=BODY,
            approved_at=a_clock().now(),
            record_summary="Complaint of 1 March",
            request_author=True,
        )
    )
    issued: dict[UUID, str] = field(default_factory=dict)  # command -> envelope

    def change(self, **changes: object) -> None:
        self.rendition = replace(self.rendition, **changes)

    def preview(
        self, request: letters.PreviewLetter, context: CallContext
    ) -> Rendition:
        if request.page != "100001":
            raise LetterNotApproved
        return self.rendition

    def issue(self, request: letters.IssueLetter, context: CallContext) -> Rendition:
        if request.page != "100001":
            raise LetterNotApproved
        self.issued[context.command_id] = request.envelope_id
        return self.rendition


def a_line(envelope: str) -> TrailLine:
    """Return a line of the trail of one envelope."""
    return TrailLine(
        position=1, event_id="x", event="EnvelopeSent", schema=1, etsi=None,
        at=a_clock().now(), contact=None, envelope=envelope, actor="a",
        actor_kind="staff", role="sender", reason=None, grade=None, means=None,
        page=None, revision=None, letter_hash=None, rendition=None, digest="",
        contact_seq=1, detail=None,
    )  # fmt: skip


class FakeAudit:
    """Seals nothing, but says for whom it would; knows one fact of each envelope."""

    known: bool = True

    def seal_identity(self, request: SealIdentity, context: CallContext) -> bytes:
        return b"sealed for two officers: " + request.contact_id.encode()

    def timeline(self, request: GetTimeline, context: CallContext) -> Trail:
        if not self.known:
            raise TrailUnknown
        return Trail(lines=(a_line(request.envelope_id),))

    def trail(self, request: GetTrail, context: CallContext) -> Trail:
        return Trail(lines=())


class World:
    """Everything joined; `restart` is what a crash leaves, started again."""

    def __init__(self, folder: Path, *, relay: Relay | None = None) -> None:
        self.folder = folder
        self.audit = FakeAudit()
        self.clock = a_clock()
        self.journal = MemoryJournal()
        (folder / "keys").mkdir(mode=0o700, parents=True)
        keks = Keks(folder / "keys")
        create_kek(folder / "keys")
        tombstones = Tombstones(folder / "tombstones.log", keks)
        tombstones.create()
        self.keyring = Keyring(
            "envelope", folder / "keys" / "e.db", keks=keks, tombstones=tombstones
        )
        self.store = CodedStore(self.journal, EventCodec("envelope", self.keyring))
        self.readmodel = ReadModel(open_readmodel(folder / "read.db"))
        self.counts = ReadModel(open_readmodel(folder / "counts.db"))
        self.blobs = MemoryBlobs()
        self.bare = CodedStore(self.journal, EventCodec("crm"))
        self.crm = FakeCrm(self.bare, self.clock)
        self.letters = FakeLetters()
        self.relay = relay or FakeRelay()
        self.failpoints: Failpoints = Nowhere()
        self.links = Links(self.keyring, VIEWER)
        self.parts: EnvelopeParts
        self.follower: Follower
        self.restart()
        self.parts.handlers.describe(OFFICE, a_context())

    def restart(self, failpoints: Failpoints | None = None) -> None:
        """Start the service anew over what is kept."""
        self.parts = build_envelope(
            store=self.store,
            clock=self.clock,
            keyring=self.keyring,
            readmodel=self.readmodel,
            counts=self.counts,
            blobs=self.blobs,
            crm=self.crm,  # type: ignore[arg-type]  # only what envelope calls
            letters=self.letters,  # type: ignore[arg-type]  # only what envelope calls
            audit=self.audit,
            relay=self.relay,
            viewer_url=VIEWER,
            undo_window=UNDO,
            failpoints=failpoints or Nowhere(),
            lock=self.folder / f"postman-{id(failpoints)}.lock",
        )
        self.api = self.parts.handlers
        self.follower = Follower(self.store, self.readmodel, self.parts.projections)
        self.follower.prepare()
        self.reactor = Reactor(self.store, self.readmodel, self.parts.reactions)
        self.reactor.prepare()

    def catch_up(self) -> None:
        while self.follower.run_once():
            pass
        assert self.follower.failure is None

    def post(self) -> int:
        """Let the postman and the lists come to rest; return the mails handled."""
        done = 0
        self.catch_up()
        while found := self.parts.postman.run_once():
            done += found
            self.catch_up()
        return done

    def send(self, **changes: object) -> Sent:
        """Send a letter to Tom, and let the undo window pass unopened."""
        request = SendLetter(
            **{
                "contact_id": TOM,
                "page": "100001",
                "record": RECORD,
                "sender_name": ANNA,
                **changes,
            }
        )
        sent = self.api.send(request, a_context())
        self.catch_up()
        return sent

    def sent_and_posted(self, **changes: object) -> Sent:
        sent = self.send(**changes)
        self.clock.move(UNDO)
        assert self.post() == 1
        return sent

    def token(self, envelope_id: str, generation: int = 1) -> str:
        return self.links.token(envelope_id, generation, "letter")

    def open(
        self,
        envelope_id: str,
        answer: str = "zz1 1aa",
        *,
        browser: str = BROWSER,
        generation: int = 1,
        context: CallContext | None = None,
    ) -> Ticket:
        request = OpenEnvelope(
            token=self.token(envelope_id, generation), browser=browser, answer=answer
        )
        return self.api.open(request, context or a_reader())

    def read(self, ticket: Ticket, browser: str = BROWSER) -> str:
        request = ReadLetter(ticket=ticket.ticket, browser=browser)
        return self.api.read(request, a_reader()).html

    def forget(self, contact_id: str) -> None:
        self.crm.people[contact_id].erased = True
        append(
            self.bare,
            f"crm.contact-{contact_id}",
            ContactForgotten(contact_id=contact_id, reason="asked"),
            a_context(),
            self.clock.now(),
        )
        self.catch_up()
        while self.reactor.run_once():
            pass
        assert self.reactor.failure is None

    def facts(self, envelope_id: str) -> list[str]:
        return [r.event.type_name for r in self.store.read(stream_of(envelope_id))]

    def state(self, envelope_id: str) -> Envelope:
        state = Envelope()
        for record in self.store.read(stream_of(envelope_id)):
            state = evolve(state, record)
        return state


def a_reader(**changes: object) -> CallContext:
    return a_context(
        actor_id="recipient", actor_kind="recipient", role="recipient", **changes
    )
