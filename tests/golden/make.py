"""Writes one golden sample for each fact: `python -m tests.golden.make`.

A sample is how a version of a fact lies in the store. It is written once and then kept
for ever: it shows that the fact can still be read after seven years.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
import types
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from shared.codec import EventCodec
from shared.events import CATALOGUE, Event, Meta, NewEvent, Sealed
from shared.eventstore.port import RawRecord
from shared.instants import micros
from tests.builders import NOON

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "events"
STREAM = "golden.sample-1"  # of no service: private fields stay sealed
ID = UUID("019bc9a0-0000-7000-8000-000000000001")
BOX = Sealed(key_id="golden", box=b"sealed by nobody")
PLAIN: Mapping[Any, Any] = {
    bool: True,
    int: 7,
    float: 0.5,
    bytes: b"bytes",
    datetime: NOON,
    UUID: ID,
    type(None): None,
    Sealed: BOX,
    Any: "anything",
}


def declared() -> dict[str, type[Event]]:
    """Return every fact of every service, found by the list of folders."""
    for path in sorted(ROOT.glob("services/*/events*")):
        if path.suffix in {"", ".py"}:
            importlib.import_module(f"services.{path.parent.name}.events")
    return {
        name: cls
        for name, cls in sorted(CATALOGUE.items())
        if cls.__module__.startswith("services.")
    }


def path_of(type_name: str, version: int) -> Path:
    """Return where the sample of a version lies."""
    return FOLDER / f"{type_name}.v{version}.json"


def sample(cls: type[Event]) -> NewEvent:
    """Return a fact of the class, always the same, every field filled."""
    hints = get_type_hints(cls)
    private = {*cls.personal, *cls.confidential}
    values: dict[str, Any] = {
        f.name: BOX if f.name in private else _value(hints[f.name], f.name)
        for f in dataclasses.fields(cls)  # type: ignore[arg-type]  # a dataclass
    }
    meta = Meta(
        at_micros=micros(NOON),
        command_id=ID,
        correlation_id=ID,
        actor="5" * 32,
        actor_kind="staff",
        role="officer",
        contact=values.get("contact_id"),
        envelope=values.get("envelope_id"),
    )
    return NewEvent(event_id=ID, event=cls(**values), meta=meta)


def written(cls: type[Event]) -> dict[str, Any]:
    """Return the sample of the class as the store would hold it."""
    raw = EventCodec("golden").encode(STREAM, sample(cls))
    return {
        "type": raw.type_name,
        "schema": raw.schema,
        "meta": msgspec.json.decode(raw.meta),
        "body": msgspec.json.decode(raw.body),
    }


def read(golden: Mapping[str, Any]) -> RawRecord:
    """Return a sample as a record of the store."""
    return RawRecord(
        event_id=ID,
        type_name=golden["type"],
        schema=golden["schema"],
        body=msgspec.json.encode(golden["body"]),
        meta=msgspec.json.encode(golden["meta"]),
        stream=STREAM,
        version=0,
        position=1,
    )


def make() -> Iterator[Path]:
    """Write the samples that are missing; yield each."""
    FOLDER.mkdir(exist_ok=True)
    for cls in declared().values():
        path = path_of(cls.type_name, cls.version)
        if not path.exists():
            text = msgspec.json.format(msgspec.json.encode(written(cls)), indent=2)
            path.write_bytes(text + b"\n")
            yield path


def _value(hint: Any, name: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint is str:
        value: Any = name.replace("_", "-")
    elif hint in PLAIN:
        value = PLAIN[hint]
    elif origin is Literal:
        value = args[0]
    elif origin in {Union, types.UnionType}:
        value = _value(next(a for a in args if a is not type(None)), name)
    elif origin is not None:
        value = _several(origin, args, name)
    else:
        value = _made(hint, name)
    return value


def _made(cls: Any, name: str) -> Any:
    if isinstance(cls, NewType):
        return _value(cls.__supertype__, name)
    if issubclass(cls, Enum):
        return next(iter(cls))
    hints = get_type_hints(cls)
    return cls(
        **{f.name: _value(hints[f.name], f.name) for f in dataclasses.fields(cls)}
    )


def _several(origin: Any, args: tuple[Any, ...], name: str) -> Any:
    if issubclass(origin, Mapping):
        return {_value(args[0], name): _value(args[1], name)}
    if origin is tuple:
        return tuple(_value(arg, name) for arg in args if arg is not Ellipsis)
    one = [_value(args[0], name)]
    return frozenset(one) if origin is frozenset else one


if __name__ == "__main__":
    for each in make():
        sys.stdout.write(f"{each.relative_to(ROOT)}\n")
