"""Facts to stored bytes and back: msgspec JSON, private fields sealed on the way.

One codec per service: it seals and opens the fields of its own streams and leaves the
fields of every other service as opaque `Sealed` values.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, Protocol, get_args, get_type_hints

import msgspec

from shared.clock import from_micros, micros
from shared.errors import Fault
from shared.events import CATALOGUE, UPCASTERS, Event, Meta, NewEvent, Recorded, Sealed
from shared.eventstore.port import CorruptRecord, RawEvent, RawRecord

HOUSE: Final = "house"
"""Owner of the key for confidential fields that belong to no contact."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a sealed value stands; bound to it, so a moved ciphertext will not open."""

    stream: str
    event_id: str
    type_name: str
    field: str


class Sealer(Protocol):
    """Seals and opens values under a contact's key or the house key."""

    def seal(self, owner: str, place: Place, plain: bytes) -> Sealed:
        """Return `plain` sealed under the owner's key, minted if need be.

        Raises:
            KeyDestroyed: the owner was erased; nothing new can be sealed for them.
        """
        ...

    def unseal(self, owner: str, place: Place, sealed: Sealed) -> bytes | None:
        """Return the value, or None if the owner's key was destroyed.

        Raises:
            CorruptRecord: the value was altered, or moved from another place.
        """
        ...


class UnknownFact(Fault):
    """A stored event has no class here: an older program reads a newer store."""


class EventCodec:
    """Encodes and decodes facts on behalf of one service."""

    def __init__(self, service: str, sealer: Sealer | None = None) -> None:
        """Open private fields of `service.*` streams by `sealer`; none without one."""
        self._own = f"{service}."
        self._sealer = sealer

    def encode(self, stream: str, new: NewEvent) -> RawEvent:
        """Return the stored form of `new`.

        Raises:
            TypeError: a private field without sealer, a personal one without contact.
            KeyDestroyed: the contact was erased.
        """
        event = new.event
        cls = type(event)
        fields = _plain(event)
        for name in (*cls.personal, *cls.confidential):
            value = fields[name]
            if isinstance(value, str):
                owner = _owner(cls, name, new.meta.contact)
                place = Place(
                    stream=stream,
                    event_id=str(new.event_id),
                    type_name=cls.type_name,
                    field=name,
                )
                sealed = self._require_sealer(cls, name).seal(
                    owner, place, value.encode()
                )
                fields[name] = {"key_id": sealed.key_id, "box": sealed.box}
        return RawEvent(
            event_id=new.event_id,
            type_name=cls.type_name,
            schema=cls.version,
            body=msgspec.json.encode(fields),
            meta=msgspec.json.encode(
                {k: v for k, v in _plain(new.meta).items() if v is not None}
            ),
        )

    def decode(self, raw: RawRecord) -> Recorded:
        """Return the fact as the newest class of its type.

        Raises:
            UnknownFact: no such type, or a schema newer than this program's.
            CorruptRecord: the bytes do not form the fact they should.
        """
        cls = CATALOGUE.get(raw.type_name)
        if cls is None or raw.schema > cls.version:
            message = f"position {raw.position}: {raw.type_name} v{raw.schema}"
            raise UnknownFact(message)
        try:
            meta = _revive(Meta, msgspec.json.decode(raw.meta))
            fields = msgspec.json.decode(raw.body)
            for version in range(raw.schema, cls.version):
                fields = UPCASTERS[raw.type_name, version](fields)
            if self._sealer is not None and raw.stream.startswith(self._own):
                self._open(cls, raw, meta.contact, fields)
            event = _revive(cls, fields)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
            message = f"position {raw.position} in {raw.stream}: {type(error).__name__}"
            raise CorruptRecord(message) from error
        return Recorded(
            event=event,
            event_id=raw.event_id,
            stream=raw.stream,
            version=raw.version,
            position=raw.position,
            meta=meta,
            digest=hashlib.sha256(raw.body).hexdigest(),
        )

    def _open(
        self,
        cls: type[Event],
        raw: RawRecord,
        contact: str | None,
        fields: dict[str, Any],
    ) -> None:
        for name in (*cls.personal, *cls.confidential):
            value = fields.get(name)
            if isinstance(value, dict):
                plain = self._require_sealer(cls, name).unseal(
                    _owner(cls, name, contact),
                    Place(
                        stream=raw.stream,
                        event_id=str(raw.event_id),
                        type_name=cls.type_name,
                        field=name,
                    ),
                    msgspec.convert(value, Sealed),
                )
                if plain is not None:
                    fields[name] = plain.decode()

    def _require_sealer(self, cls: type[Event], name: str) -> Sealer:
        if self._sealer is None:
            message = f"{cls.type_name}.{name} is private and this codec has no keys"
            raise TypeError(message)
        return self._sealer


def _owner(cls: type[Event], name: str, contact: str | None) -> str:
    if name in cls.confidential:
        return HOUSE
    if contact is None:
        message = f"{cls.type_name}.{name} is personal but the event names no contact"
        raise TypeError(message)
    return contact


@cache
def _names(cls: Any) -> dict[str, None]:
    return dict.fromkeys(f.name for f in dataclasses.fields(cls))  # an ordered set


@cache
def _times(cls: Any) -> frozenset[str]:
    hints = get_type_hints(cls)
    return frozenset(
        f.name
        for f in dataclasses.fields(cls)
        if hints[f.name] is datetime or datetime in get_args(hints[f.name])
    )


def _plain(value: Event | Meta) -> dict[str, Any]:
    cls: Any = type(value)
    fields: dict[str, Any] = {name: getattr(value, name) for name in _names(cls)}
    for name in _times(cls):
        if fields[name] is not None:
            fields[name] = micros(fields[name])
    return fields


def _revive(cls: Any, fields: Mapping[str, Any]) -> Any:
    values = dict(fields)
    for name in _times(cls):
        if values.get(name) is not None:
            values[name] = from_micros(values[name])
    if not values.keys() <= _names(cls).keys():
        message = f"unknown fields {sorted(values.keys() - _names(cls).keys())}"
        raise ValueError(message)
    return msgspec.convert(values, cls)
