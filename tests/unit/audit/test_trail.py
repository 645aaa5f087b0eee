"""The trail over a store that several services write, each under its own keys."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import services.portal.events  # noqa: F401  # its facts are on the trail too
from services.audit.api import AuditApi, TrailLine
from services.audit.commands import GetTimeline, GetTrail, SealIdentity
from services.audit.errors import TrailUnknown
from services.audit.projections import TrailProjection
from services.audit.tables import TRAIL
from services.audit.wiring import build_audit
from services.crm.events import (
    CodeAccepted,
    CodeIssued,
    ContactCreated,
    ContactForgotten,
    SendPermitted,
)
from services.envelope.events import (
    AnswerRejected,
    EnvelopeExpired,
    EnvelopeExpiryChanged,
    EnvelopeRelayed,
    EnvelopeSent,
    EnvelopeViewed,
    LetterShown,
    LinkFetched,
    RelayAttempted,
)
from services.letters.events import LetterDrafted, LetterIssued, RecordSaved
from services.portal.events import RoleGranted, StaffInvited
from shared.codec import EventCodec
from shared.crypto.kek import Keks, create_kek
from shared.crypto.keyring import KeyDestroyed, Keyring
from shared.crypto.seal import place_of_row
from shared.crypto.tombstones import Tombstones
from shared.errors import Malformed
from shared.events import Event, Recorded, Sealed
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.eventstore.port import NO_STREAM
from shared.follow import Follower
from shared.readmodel import ReadModel, digest_of, open_readmodel
from shared.rebuild import rebuild
from shared.refusals import ContactKeysDestroyed, Refused
from tests.builders import NOON, a_context, new

TOM, EDITH = "1" * 32, "2" * 32
E1, E2 = "a" * 32, "b" * 32
CANARIES = (
    *("Quillfeather", "ZZ1 1AA", "tom.quillfeather@people.example"),
    *("HV-10231", "1950-01-02", "Complaint acknowledged", "Ferris", "eleven herons"),
    *("165100-204817", "anna.ferris@harbourvale.example"),
)
PERSON = MappingProxyType(
    {
        "title": "Mr",
        "given": "Tom",
        "family": "Quillfeather",
        "formal_name": "Mr Tom Quillfeather",
        "salutation": "Dear Mr Tom Quillfeather",
        "email": "tom.quillfeather@people.example",
        "postcode": "ZZ1 1AA",
        "birth_date": "1950-01-02",
        "customer_reference": "HV-10231",
        "company": "",
    }
)


@dataclass(frozen=True, kw_only=True)
class House:
    """A store with keys for each service, and the evidence service over it."""

    journal: MemoryJournal
    stores: dict[str, CodedStore]
    keys: dict[str, Keyring]
    readmodel: ReadModel
    follower: Follower
    api: AuditApi
    folder: Path

    @property
    def bare(self) -> CodedStore:
        return CodedStore(self.journal, EventCodec("none"))

    def tell(self, stream: str, *facts: Event, **changes: Any) -> None:
        store = self.stores[stream.partition(".")[0]]
        known = list(store.read(stream))
        at = NOON + timedelta(seconds=len(known))
        context = a_context(**changes)
        store.append(
            stream,
            [new(fact, context=context, at=at) for fact in facts],
            expected=known[-1].version if known else NO_STREAM,
        )

    def follow(self) -> None:
        while self.follower.run_once():
            pass
        assert self.follower.failure is None

    def lines(self, **filters: Any) -> tuple[TrailLine, ...]:
        return self.api.trail(GetTrail(**filters), a_context()).lines


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    keks_folder = tmp_path / "keys"
    keks_folder.mkdir(mode=0o700)
    keks = Keks(keks_folder)
    create_kek(keks_folder)
    tombstones = Tombstones(tmp_path / "tombstones.log", keks)
    tombstones.create()
    keys = {
        name: Keyring(
            name, keks_folder / f"{name}.db", keks=keks, tombstones=tombstones
        )
        for name in ("crm", "letters", "envelope", "portal", "audit")
    }
    journal = MemoryJournal()
    stores = {
        name: CodedStore(journal, EventCodec(name, keyring))
        for name, keyring in keys.items()
    }
    readmodel = ReadModel(open_readmodel(tmp_path / "read" / "audit.db"))
    bare = CodedStore(journal, EventCodec("none"))
    parts = build_audit(store=bare, keyring=keys["audit"], readmodel=readmodel)
    follower = Follower(bare, readmodel, parts.projections)
    follower.prepare()
    yield House(
        journal=journal,
        stores=stores,
        keys=keys,
        readmodel=readmodel,
        follower=follower,
        api=parts.handlers,
        folder=tmp_path,
    )
    follower.close()
    readmodel.close()
    for keyring in keys.values():
        keyring.close()


def sent(envelope: str = E1, contact: str = TOM) -> EnvelopeSent:
    return EnvelopeSent(
        envelope_id=envelope,
        contact_id=contact,
        page="165104",
        revision=2,
        letter_hash="c" * 64,
        kind="note",
        letter_class="private",
        purpose="service",
        check="postcode",
        blob="d" * 64,
        rendition="e" * 64,
        identity=base64.b64encode(b"sealed").decode(),
        link_hash="3" * 64,
        choices_hash="4" * 64,
        title="Complaint acknowledged",
        record="165100-204817",
        formal_name="Mr Tom Quillfeather",
        family="Quillfeather",
        email="tom.quillfeather@people.example",
        sender_name="Ms Anna Ferris",
        approved_at=NOON,
        expires_at=NOON + timedelta(days=7),
        release_at=NOON + timedelta(seconds=10),
    )


def the_main_job(house: House) -> None:
    """Write what five services write while one letter is sent and viewed."""
    both = {"envelope_id": E1, "contact_id": TOM}
    staff = "9" * 32
    house.tell(
        f"portal.staff-{staff}",
        StaffInvited(
            staff_id=staff,
            formal_name="Ms Anna Ferris",
            email="anna.ferris@harbourvale.example",
        ),
    )
    house.tell("portal.roster-staff", RoleGranted(staff_id=staff, granted="sender"))
    house.tell(
        f"crm.contact-{TOM}",
        ContactCreated(
            contact_id=TOM, kind="customer", facts=("postcode",), **dict(PERSON)
        ),
    )
    house.tell(
        "letters.page-165104",
        LetterDrafted(
            page="165104",
            revision=2,
            page_type="letter",
            title="Acknowledged",
            body="About eleven herons.",
            kind="note",
            answers=None,
            form="",
            letter_hash="c" * 64,
            author_id="b" * 32,
        ),
    )
    house.tell(
        "letters.record-165100-204817",
        RecordSaved(
            record="165100-204817",
            page="165100",
            contact_id=TOM,
            subject_id=None,
            assignee_id=None,
            fields='{"story": "eleven herons"}',
            revision=1,
        ),
    )
    house.tell(
        "envelope.refusal-1",
        Refused(operation="send", reason="page_not_approved", **both),
    )
    house.tell(
        "letters.page-165104",
        LetterIssued(
            page="165104",
            revision=2,
            letter_hash="c" * 64,
            record_revision=1,
            **both,
        ),
    )
    house.tell(f"envelope.envelope-{E1}", sent())
    house.tell(
        f"crm.contact-{TOM}", SendPermitted(purpose="service", attempt=1, **both)
    )
    house.tell(
        f"envelope.envelope-{E1}",
        RelayAttempted(generation=1, attempt=1, permit=9, repeat=False, **both),
        EnvelopeRelayed(generation=1, attempt=1, reply_code=250, tls=True, **both),
        LinkFetched(generation=1, **both),
        AnswerRejected(means="postcode", **both),
    )
    house.tell(
        f"crm.code-{E1}",
        CodeIssued(
            code_id="f" * 32,
            browser="0" * 64,
            expires_at=NOON + timedelta(minutes=10),
            **both,
        ),
        CodeAccepted(code_id="f" * 32, **both),
    )
    house.tell(
        f"envelope.envelope-{E1}",
        EnvelopeViewed(grade=3, means="postcode", **both),
        LetterShown(grade=3, means="postcode", **both),
        EnvelopeExpiryChanged(
            expires_at=NOON - timedelta(days=9000),
            reason="wrong_letter",
            viewed_before=True,
            **both,
        ),
        EnvelopeExpired(viewed=True, reason="expired", **both),
    )


def test_every_fact_of_every_service_has_its_line(house: House) -> None:
    the_main_job(house)
    house.follow()
    lines = house.lines(limit=1000)[::-1]
    facts = house.bare.read_all()
    assert [line.position for line in lines] == list(range(1, len(facts) + 1))
    for line, record in zip(lines, facts, strict=True):
        meta = record.meta
        assert line.event == record.event.type_name
        assert line.event_id == str(record.event_id)
        assert line.at == meta.at
        assert line.etsi == meta.etsi
        assert (line.contact, line.envelope) == (meta.contact, meta.envelope)
        assert (line.actor, line.actor_kind) == (meta.actor, meta.actor_kind)
        assert (line.role, line.reason) == (meta.role, meta.reason)
        assert (line.grade, line.digest) == (meta.grade, record.digest)
        assert line.schema == 1


def test_what_other_services_keep_private_stays_sealed_for_the_trail(
    house: House,
) -> None:
    the_main_job(house)
    created = next(
        record.event
        for record in house.bare.read_all()
        if isinstance(record.event, ContactCreated)
    )
    assert isinstance(created.formal_name, Sealed)


def test_a_timeline_tells_the_life_of_a_letter_oldest_first(house: House) -> None:
    the_main_job(house)
    house.tell(f"envelope.envelope-{E2}", sent(E2, EDITH))
    house.follow()
    trail = house.api.timeline(GetTimeline(envelope_id=E1), a_context())
    assert trail.fresh
    assert [line.event for line in trail.lines] == [
        "Refused",
        "LetterIssued",
        "EnvelopeSent",
        "SendPermitted",
        "RelayAttempted",
        "EnvelopeRelayed",
        "LinkFetched",
        "AnswerRejected",
        "CodeIssued",
        "CodeAccepted",
        "EnvelopeViewed",
        "LetterShown",
        "EnvelopeExpiryChanged",
        "EnvelopeExpired",
    ]
    by_name = {line.event: line for line in trail.lines}
    accepted, viewed = by_name["EnvelopeSent"], by_name["EnvelopeViewed"]
    assert accepted.etsi == "SubmissionAcceptance"
    assert (accepted.page, accepted.revision) == ("165104", 2)
    assert (accepted.letter_hash, accepted.rendition) == ("c" * 64, "e" * 64)
    assert "check=postcode" in (accepted.detail or "")
    assert (viewed.grade, viewed.means) == (3, "postcode")
    assert viewed.etsi == "ContentHandover"
    assert by_name["Refused"].reason == "page_not_approved"
    assert by_name["Refused"].etsi == "SubmissionRejection"
    assert by_name["EnvelopeExpired"].etsi is None
    assert by_name["EnvelopeExpiryChanged"].detail == (
        "expires_at=2001-07-11T12:00:00Z; viewed_before=yes"
    )


def test_an_envelope_nobody_sent_has_no_timeline(house: House) -> None:
    the_main_job(house)
    house.follow()
    with pytest.raises(TrailUnknown):
        house.api.timeline(GetTimeline(envelope_id="7" * 32), a_context())


def test_a_trail_that_lags_behind_says_so_and_denies_nothing(house: House) -> None:
    the_main_job(house)
    after = house.bare.read_all()[-1].position
    trail = house.api.timeline(GetTimeline(envelope_id=E1, after=after), a_context())
    assert not trail.fresh
    assert trail.lines == ()


def test_the_trail_is_paged_newest_first_without_gap_or_repeat(house: House) -> None:
    the_main_job(house)
    house.follow()
    whole = [line.position for line in house.lines(limit=1000)]
    assert whole == sorted(whole, reverse=True)
    paged: list[int] = []
    before, more = 0, True
    while more:
        page = house.api.trail(GetTrail(before=before, limit=4), a_context())
        paged += [line.position for line in page.lines]
        before, more = paged[-1], page.more
        assert len(page.lines) == 4 or not more
    assert paged == whole


def test_the_trail_is_filtered_by_contact_and_by_kind_of_fact(house: House) -> None:
    the_main_job(house)
    house.tell(f"envelope.envelope-{E2}", sent(E2, EDITH))
    house.follow()
    assert {line.contact for line in house.lines(contact_id=EDITH)} == {EDITH}
    assert [line.event for line in house.lines(type_name="EnvelopeSent")] == [
        "EnvelopeSent",
        "EnvelopeSent",
    ]
    both = house.lines(type_name="EnvelopeSent", contact_id=TOM)
    assert [line.envelope for line in both] == [E1]
    assert house.lines(contact_id="8" * 32) == ()


@pytest.mark.parametrize("limit", [-5, 0, 1])
def test_a_page_holds_at_least_one_line(house: House, limit: int) -> None:
    the_main_job(house)
    house.follow()
    assert len(house.lines(limit=limit)) == 1


def test_each_contact_has_gap_free_places_however_facts_interleave(
    house: House,
) -> None:
    dice = random.Random(7)  # noqa: S311  # a fixed order of facts, no secret
    contacts = [str(n) * 32 for n in range(3)]
    for _ in range(60):
        who = dice.choice(contacts)
        house.tell(
            f"envelope.envelope-{who}",
            *[LinkFetched(envelope_id=who, contact_id=who, generation=1)]
            * dice.randint(1, 3),
        )
        if dice.random() < 0.3:
            house.tell("portal.roster-staff", RoleGranted(staff_id="s", granted="x"))
        if dice.random() < 0.3:
            house.follow()
    house.follow()
    for who in contacts:
        places = [line.contact_seq for line in house.lines(contact_id=who, limit=1000)]
        assert places[::-1] == list(range(1, len(places) + 1))
    assert {ln.contact_seq for ln in house.lines(type_name="RoleGranted")} == {None}


@settings(max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 19), max_size=6),
    again=st.lists(st.integers(0, 5), min_size=7, max_size=7),
)
def test_rows_do_not_depend_on_how_the_facts_are_batched(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], again: list[int]
) -> None:
    """Nor on what is applied again, as after a crash: the end of the batch before."""
    records = _twenty_facts()
    bounds = sorted(set(cuts))
    batches = [
        records[max(0, start - repeated) : end]
        for start, end, repeated in zip(
            [0, *bounds], [*bounds, len(records)], again, strict=False
        )
    ]
    digests = set()
    for many in (False, True):
        readmodel = ReadModel(
            open_readmodel(tmp_path_factory.mktemp("rows") / "audit.db")
        )
        projection = TrailProjection()
        readmodel.create(projection.tables)
        for batch in batches if many else [[record] for record in records]:
            with readmodel.begin() as connection:
                if many:
                    projection.apply_many(connection, batch)
                else:
                    projection.apply(connection, batch[0])
        with readmodel.connect() as connection:
            digests.add(digest_of(connection, [TRAIL]))
        readmodel.close()
    assert len(digests) == 1


def test_the_follower_ends_an_interrupted_rebuild_with_every_index(
    house: House,
) -> None:
    the_main_job(house)
    house.follow()
    with house.readmodel.connect() as connection:
        live = digest_of(connection, [TRAIL])
    indexes = _indexes(house.readmodel)

    def interrupted(at: int, end: int) -> None:
        raise KeyboardInterrupt(at, end)

    with pytest.raises(KeyboardInterrupt):
        rebuild(house.bare, house.readmodel, TrailProjection(), interrupted)
    assert _indexes(house.readmodel) < indexes
    follower = Follower(house.bare, house.readmodel, [TrailProjection()])
    while follower.run_once():
        pass
    assert _indexes(house.readmodel) == indexes
    with house.readmodel.connect() as connection:
        assert digest_of(connection, [TRAIL]) == live


def test_a_rebuild_makes_every_index(house: House) -> None:
    the_main_job(house)
    house.follow()
    indexes = _indexes(house.readmodel)
    rebuild(house.bare, house.readmodel, TrailProjection(), lambda *_: None)
    assert len(indexes) == 4
    assert _indexes(house.readmodel) == indexes


def _indexes(readmodel: ReadModel) -> set[str]:
    with readmodel.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            " AND tbl_name = 'audit_trail'"
        )
        return {row[0] for row in found}


def test_a_rebuilt_trail_is_the_live_trail(house: House) -> None:
    the_main_job(house)
    house.follow()
    house.tell(f"envelope.envelope-{E2}", sent(E2, EDITH))
    house.follow()
    with house.readmodel.connect() as connection:
        live = digest_of(connection, [TRAIL])
    rebuild(house.bare, house.readmodel, TrailProjection(), lambda *_: None)
    with house.readmodel.connect() as connection:
        assert digest_of(connection, [TRAIL]) == live


def test_a_fact_applied_twice_has_one_line(house: House) -> None:
    the_main_job(house)
    house.follow()
    with house.readmodel.connect() as connection:
        once = digest_of(connection, [TRAIL])
    with house.readmodel.begin() as connection:
        for record in house.bare.read_all():
            TrailProjection().apply(connection, record)
    with house.readmodel.connect() as connection:
        assert digest_of(connection, [TRAIL]) == once


def test_nothing_personal_lies_in_the_trail(house: House) -> None:
    the_main_job(house)
    house.api.seal_identity(_identity(), a_context())
    house.follow()
    assert len(house.lines(limit=1000)) == len(house.bare.read_all())
    for path in house.folder.rglob("*"):
        if path.is_file():
            stored = path.read_bytes()
            for form in _forms_of_the_canaries():
                assert form not in stored, f"{path.name} holds {form!r}"


def test_an_identity_opens_only_under_its_own_key_and_envelope(house: House) -> None:
    sealed = house.api.seal_identity(_identity(), a_context())
    assert b"Quillfeather" not in sealed
    keys, owner = house.keys["audit"], f"identity-{TOM}"
    opened = keys.unseal_value(owner, place_of_row("identity", E1, "person"), sealed)
    assert opened == (
        b'{"email":"tom.quillfeather@people.example",'
        b'"formal_name":"Mr Tom Quillfeather"}'
    )
    assert not keys.has(TOM)


def test_forgetting_a_contact_leaves_the_identity_sealed_and_audit_silent(
    house: House,
) -> None:
    sealed = house.api.seal_identity(_identity(), a_context())
    the_main_job(house)
    house.tell(
        f"crm.contact-{TOM}", ContactForgotten(contact_id=TOM, reason="asked_by_person")
    )
    house.keys["crm"].destroy(TOM)
    house.tell(f"crm.keys-{TOM}", ContactKeysDestroyed(contact_id=TOM, service="crm"))
    before = len(house.bare.read_all())
    house.follow()
    place = place_of_row("identity", E1, "person")
    assert house.keys["audit"].unseal_value(f"identity-{TOM}", place, sealed)
    assert len(house.bare.read_all()) == before
    newest, forgotten = house.lines(contact_id=TOM, limit=2)
    assert newest.detail == "service=crm"
    assert (forgotten.event, forgotten.reason) == (
        "ContactForgotten",
        "asked_by_person",
    )
    assert house.lines(contact_id=TOM)[-1].event == "ContactCreated"


def test_nothing_can_be_sealed_once_the_seven_years_are_over(house: House) -> None:
    house.keys["audit"].destroy(f"identity-{TOM}")
    with pytest.raises(KeyDestroyed):
        house.api.seal_identity(_identity(), a_context())


def test_an_identity_without_a_name_is_refused(house: House) -> None:
    nameless = SealIdentity(contact_id=TOM, envelope_id=E1, formal_name="", email="")
    with pytest.raises(Malformed):
        house.api.seal_identity(nameless, a_context())


def _identity() -> SealIdentity:
    return SealIdentity(
        contact_id=TOM,
        envelope_id=E1,
        formal_name="Mr Tom Quillfeather",
        email="tom.quillfeather@people.example",
    )


def _twenty_facts() -> list[Recorded]:
    store = CodedStore(MemoryJournal(), EventCodec("thing"))
    for number in range(20):
        who = str(number % 3) * 32
        fact = (
            LinkFetched(envelope_id=who, contact_id=who, generation=number)
            if number % 4
            else RoleGranted(staff_id=who, granted="sender")
        )
        store.append(f"thing.thing-{number}", [new(fact)], expected=NO_STREAM)
    return list(store.read_all())


def _forms_of_the_canaries() -> Iterator[bytes]:
    """Yield every form of 6 bytes or more: shorter ones occur by chance."""
    yield from (form for form in _all_forms() if len(form) >= 6)


def _all_forms() -> Iterator[bytes]:
    for text in CANARIES:
        plain = text.encode()
        yield plain
        yield plain.hex().encode()
        yield text.encode("utf-16-le")
        for shift in range(3):  # base64 of the text at any offset
            cut = base64.b64encode(b"\0" * shift + plain)
            yield cut[4 if shift else 0 : -4]
