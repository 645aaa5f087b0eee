"""Facts to stored bytes and back: msgspec JSON, private fields sealed on the way.

One codec per service: it seals and opens the fields of its own streams and leaves the
fields of every other service as opaque `Sealed` values.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any, Final, Protocol

import msgspec

from shared.errors import Fault
from shared.events import CATALOGUE, UPCASTERS, Event, Meta, NewEvent, Recorded, Sealed
from shared.eventstore.port import CorruptRecord, RawEvent, RawRecord
from shared.instants import micros
from shared.reviving import Form, form_of, times_of

_UNFIT: Final = (
    msgspec.MsgspecError,
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
)
_meta: Final = msgspec.json.Decoder(Meta).decode

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
            meta=msgspec.json.encode(new.meta),
        )

    def decode(self, raw: RawRecord) -> Recorded:
        """Return the fact as the newest class of its type.

        Raises:
            UnknownFact: no such type, or a schema newer than this program's.
            CorruptRecord: the bytes do not form the fact they should.
        """
        cls: Any = CATALOGUE.get(raw.type_name)  # mypy doubts that it is hashable
        if cls is None or raw.schema > cls.version:
            message = f"position {raw.position}: {raw.type_name} v{raw.schema}"
            raise UnknownFact(message)
        try:
            meta, form = _meta(raw.meta), form_of(cls)
            if raw.schema != cls.version:
                fields = form.converted(_upcast(cls, raw))
                event = form.event(self._opened(form, raw, meta.contact, fields))
            elif form.private:
                fields = form.fields(raw.body)
                event = form.event(self._opened(form, raw, meta.contact, fields))
            else:
                event = form.fact(raw.body)
        except _UNFIT as error:
            message = f"position {raw.position} in {raw.stream}: {type(error).__name__}"
            raise CorruptRecord(message) from error
        return Recorded(
            event=event,
            event_id=raw.event_id,
            stream=raw.stream,
            version=raw.version,
            position=raw.position,
            meta=meta,
            body=raw.body,
        )

    def _opened(
        self,
        form: Form,
        raw: RawRecord,
        contact: str | None,
        fields: msgspec.Struct,
    ) -> msgspec.Struct:
        """Return `fields` with whatever this service may read opened."""
        if self._sealer is None or not raw.stream.startswith(self._own):
            return fields
        cls = form.cls
        for name in form.private:
            value = getattr(fields, name)
            if isinstance(value, Sealed):
                plain = self._sealer.unseal(
                    _owner(cls, name, contact),
                    Place(
                        stream=raw.stream,
                        event_id=str(raw.event_id),
                        type_name=cls.type_name,
                        field=name,
                    ),
                    value,
                )
                if plain is not None:
                    setattr(fields, name, plain.decode())
        return fields

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


def _plain(value: Event) -> dict[str, Any]:
    cls: Any = type(value)
    fields: dict[str, Any] = {name: getattr(value, name) for name in _names(cls)}
    for name in times_of(cls):
        if fields[name] is not None:
            fields[name] = micros(fields[name])
    return fields


def _upcast(cls: type[Event], raw: RawRecord) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.json.decode(raw.body)
    for version in range(raw.schema, cls.version):
        fields = UPCASTERS[raw.type_name, version](fields)
    return fields
