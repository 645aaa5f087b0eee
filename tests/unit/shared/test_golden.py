"""Facts of every version ever released can be read, and have not changed shape."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest

from shared.codec import EventCodec
from shared.events import UPCASTERS, Event
from tests.facts import ThingMoved, ThingNamed
from tests.golden.make import FOLDER, declared, path_of, read, sample, written

DECLARED = declared()
SAMPLES = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("name", DECLARED)
def test_every_version_of_a_fact_has_its_sample(name: str) -> None:
    for version in range(1, DECLARED[name].version + 1):
        path = path_of(name, version)
        assert path.exists(), f"{path.name} is missing: `make golden` writes it"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_sample_is_read_as_the_newest_class(path: Path) -> None:
    golden = msgspec.json.decode(path.read_bytes())
    record = EventCodec("any").decode(read(golden))
    assert type(record.event) is DECLARED[golden["type"]]
    assert path == path_of(golden["type"], golden["schema"])


@pytest.mark.parametrize("name", DECLARED)
def test_a_fact_changes_shape_only_with_its_version(name: str) -> None:
    cls = DECLARED[name]
    golden = msgspec.json.decode(path_of(name, cls.version).read_bytes())
    assert written(cls)["body"].keys() == golden["body"].keys(), (
        f"raise the version of {name}, with an upcast"
    )
    record = EventCodec("any").decode(read(golden))
    assert record.event == sample(cls).event


@pytest.mark.parametrize("name", DECLARED)
def test_every_past_version_has_its_upcast(name: str) -> None:
    for version in range(1, DECLARED[name].version):
        assert (name, version) in UPCASTERS


@pytest.mark.parametrize("name", DECLARED)
def test_private_fields_exist_and_personal_ones_name_their_contact(name: str) -> None:
    cls = DECLARED[name]
    fields = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]  # a dataclass
    assert fields >= {*cls.personal, *cls.confidential}
    assert not cls.personal or "contact_id" in fields


@pytest.mark.parametrize("cls", [ThingMoved, ThingNamed])
def test_a_sample_can_be_made_and_read(cls: type[Event]) -> None:
    assert EventCodec("any").decode(read(written(cls))).event == sample(cls).event
