"""Facts to bytes and back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import micros
from shared.codec import EventCodec, UnknownFact
from shared.events import Event, NewEvent, Recorded, Sealed
from shared.eventstore.port import CorruptRecord, RawRecord
from shared.instants import FIRST, LAST, from_micros
from tests.builders import NOON, a_context, new
from tests.facts import ThingMade, ThingMoved, ThingNamed
from tests.sealers import PlainSealer

STREAM = "thing.thing-t1"
NAMED = ThingNamed(thing_id="t1", contact_id="c" * 32, name="Ada Löw", note="tall")
instants = st.datetimes(
    min_value=datetime(1902, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
    max_value=datetime(2199, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def stored(codec: EventCodec, event: NewEvent, **changes: Any) -> RawRecord:
    raw = codec.encode(STREAM, event)
    fields = msgspec.structs.asdict(raw)
    return RawRecord(
        **{**fields, "stream": STREAM, "version": 0, "position": 1, **changes}
    )


def there_and_back(codec: EventCodec, event: Event) -> Recorded:
    return codec.decode(stored(codec, new(event)))


@given(
    thing=st.text(),
    place=st.text(),
    at=instants,
    due=st.none() | instants,
    meta=instants,
)
def test_every_fact_comes_back_as_it_was(
    thing: str, place: str, at: datetime, due: datetime | None, meta: datetime
) -> None:
    codec = EventCodec("thing")
    event = new(
        ThingMoved(
            thing_id=thing, place=place, reason="asked", moved_at=at, due_at=due
        ),
        context=a_context(causation_id=a_context().command_id),
        at=meta,
    )
    record = codec.decode(stored(codec, event))
    assert record.event == event.event
    assert record.meta == event.meta
    assert record.event_id == event.event_id


def test_times_are_whole_microseconds_on_the_wire() -> None:
    at = NOON + timedelta(microseconds=1)
    moved = ThingMoved(thing_id="t", place="p", reason="r", moved_at=at)
    raw = EventCodec("thing").encode(STREAM, new(moved, at=at))
    assert json.loads(raw.body)["moved_at"] == micros(at) == 1_772_452_800_000_001
    assert json.loads(raw.body)["due_at"] is None
    assert json.loads(raw.meta)["at"] == micros(at)


def test_metadata_tells_only_what_is_known() -> None:
    raw = EventCodec("thing", PlainSealer()).encode(STREAM, new(NAMED))
    meta = json.loads(raw.meta)
    assert meta["contact"] == "c" * 32
    assert meta["etsi"] == "SubmissionAcceptance"
    assert not {"envelope", "reason", "grade", "causation_id"} & meta.keys()


@pytest.mark.parametrize("room", ["body", "meta"])
def test_unknown_fields_are_refused(room: str) -> None:
    codec = EventCodec("thing")
    good = stored(codec, new())
    odd: Any = json.loads(getattr(good, room)) | {"extra": 1}
    changes: dict[str, Any] = {room: json.dumps(odd).encode()}
    with pytest.raises(CorruptRecord, match="position 1"):
        codec.decode(msgspec.structs.replace(good, **changes))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"thing_id":1}',
        b'{"thing_id":"t","size":1.5}',
        b'{"thing_id":"t","size":NaN}',
        b'{"thing_id":"t","size":"1"}',
        b'{"thing_id":"t"} ' + b"\xff",
    ],
)
def test_bytes_that_form_no_fact_are_named_and_not_shown(body: bytes) -> None:
    codec = EventCodec("thing")
    with pytest.raises(CorruptRecord, match=r"position 1 in thing\.thing-t1"):
        codec.decode(stored(codec, new(), body=body))


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"moved_at": None},
        {"moved_at": 1.5},
        {"moved_at": True},
        {"moved_at": "2026-03-02T12:00:00Z"},
        {"moved_at": 10**18},
        {"moved_at": -(10**18)},
        {"due_at": 2**63},
        {"due_at": "soon"},
        {"place": None},
    ],
)
def test_times_and_what_stands_beside_them_are_checked_too(
    change: dict[str, Any],
) -> None:
    codec = EventCodec("thing")
    moved = ThingMoved(thing_id="t", place="p", reason="r", moved_at=NOON, due_at=NOON)
    good = stored(codec, new(moved))
    assert codec.decode(good).event == moved
    body = json.dumps(json.loads(good.body) | change).encode()
    with pytest.raises(CorruptRecord, match=r"position 1 in thing\.thing-t1"):
        codec.decode(msgspec.structs.replace(good, body=body))


@pytest.mark.parametrize(
    "change",
    [{"at": None}, {"at": 1.5}, {"at": 10**18}, {"at": -(10**18)}, {"command_id": "x"}],
)
def test_metadata_is_checked(change: dict[str, Any]) -> None:
    codec = EventCodec("thing")
    good = stored(codec, new())
    meta = json.dumps(json.loads(good.meta) | change).encode()
    with pytest.raises(CorruptRecord, match="position 1"):
        codec.decode(msgspec.structs.replace(good, meta=meta))


def test_an_upcast_fact_is_checked_like_a_new_one() -> None:
    codec = EventCodec("thing")
    old = stored(codec, new(), type_name="ThingMoved", schema=1)
    for body in (b'{"place":"attic"}', b'{"thing_id":"t","place":"a","extra":1}'):
        with pytest.raises(CorruptRecord):
            codec.decode(msgspec.structs.replace(old, body=body))


@pytest.mark.parametrize("body", [b'{"thing_id":"t","size":1,"size":2}'])
def test_of_a_field_told_twice_the_last_counts(body: bytes) -> None:
    codec = EventCodec("thing")
    event = codec.decode(stored(codec, new(), body=body)).event
    assert event == ThingMade(thing_id="t", size=2)


def test_the_bounds_of_time_are_those_of_the_calendar() -> None:
    codec = EventCodec("thing")
    for at in (
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ):
        moved = ThingMoved(thing_id="t", place="p", reason="r", moved_at=at)
        record = codec.decode(stored(codec, new(moved, at=at)))
        assert record.event == moved
        assert record.meta.at == record.recorded_at == at
    assert from_micros(FIRST) == datetime.min.replace(tzinfo=UTC)
    assert from_micros(LAST) == datetime.max.replace(tzinfo=UTC)


def test_an_unknown_type_or_a_newer_schema_is_a_fault() -> None:
    codec = EventCodec("thing")
    with pytest.raises(UnknownFact, match="ThingGone"):
        codec.decode(stored(codec, new(), type_name="ThingGone"))
    with pytest.raises(UnknownFact, match="v2"):
        codec.decode(stored(codec, new(), schema=2))


def test_old_versions_become_the_newest_class() -> None:
    codec = EventCodec("thing")
    old = stored(
        codec,
        new(),
        type_name="ThingMoved",
        schema=1,
        body=b'{"thing_id":"t","place":"attic"}',
    )
    assert codec.decode(old).event == ThingMoved(
        thing_id="t",
        place="attic",
        reason="unknown",
        moved_at=datetime(1970, 1, 1, tzinfo=UTC),
    )
    newer = msgspec.structs.replace(
        old, schema=2, body=b'{"thing_id":"t","place":"attic","reason":"dust"}'
    )
    event = codec.decode(newer).event
    assert isinstance(event, ThingMoved)
    assert event.reason == "dust"


def test_private_fields_are_sealed_at_rest_and_open_to_their_own_service() -> None:
    codec = EventCodec("thing", PlainSealer())
    raw = codec.encode(STREAM, new(NAMED))
    assert b"Ada" not in raw.body + raw.meta
    assert b"tall" not in raw.body + raw.meta
    assert there_and_back(codec, NAMED).event == NAMED


def test_contact_and_house_keys_are_kept_apart() -> None:
    body = json.loads(
        EventCodec("thing", PlainSealer()).encode(STREAM, new(NAMED)).body
    )
    assert body["name"]["key_id"] == "c" * 32
    assert body["note"]["key_id"] == "house"


@pytest.mark.parametrize("sealer", [PlainSealer(), None])
def test_private_fields_of_another_service_stay_sealed(
    sealer: PlainSealer | None,
) -> None:
    record = stored(EventCodec("thing", PlainSealer()), new(NAMED))
    event = EventCodec("other", sealer).decode(record).event
    assert isinstance(event, ThingNamed)
    assert isinstance(event.name, Sealed)
    assert isinstance(event.note, Sealed)
    assert event.contact_id == NAMED.contact_id


def test_a_sealed_value_of_another_service_passes_through_unchanged() -> None:
    box = Sealed(key_id="k", box=b"\x00\xff")
    codec = EventCodec("other", PlainSealer())
    event = ThingNamed(thing_id="t", contact_id="c", name=box)
    assert there_and_back(codec, event).event == event


def test_an_erased_contact_stays_sealed_and_the_rest_is_read() -> None:
    sealer = PlainSealer()
    codec = EventCodec("thing", sealer)
    record = stored(codec, new(NAMED))
    sealer.destroyed.add("c" * 32)
    event = codec.decode(record).event
    assert isinstance(event, ThingNamed)
    assert isinstance(event.name, Sealed)
    assert event.note == "tall"


def test_a_moved_ciphertext_does_not_open() -> None:
    codec = EventCodec("thing", PlainSealer())
    record = stored(codec, new(NAMED))
    moved = msgspec.structs.replace(record, event_id=new().event_id)
    with pytest.raises(CorruptRecord):
        codec.decode(moved)


def test_private_fields_without_a_key_or_a_contact_are_refused() -> None:
    with pytest.raises(TypeError, match=r"ThingNamed\.name is private"):
        EventCodec("thing").encode(STREAM, new(NAMED))
    event = new(NAMED)
    orphan = dataclasses.replace(
        event, meta=msgspec.structs.replace(event.meta, contact=None)
    )
    with pytest.raises(TypeError, match="names no contact"):
        EventCodec("thing", PlainSealer()).encode(STREAM, orphan)


def test_the_digest_is_of_the_stored_bytes() -> None:
    codec = EventCodec("thing")
    one = stored(codec, new(ThingMade(thing_id="t1")))
    other = stored(codec, new(ThingMade(thing_id="t2")))
    assert codec.decode(one).digest != codec.decode(other).digest
    assert codec.decode(one).digest == hashlib.sha256(one.body).hexdigest()
    assert msgspec.json.decode(one.body) == {"thing_id": "t1", "size": 0}
