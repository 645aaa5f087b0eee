"""What an event is, here: an immutable fact with a stable name and a schema version."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, TypeVar
from uuid import UUID

import msgspec

from shared.context import CallContext
from shared.ids import derived
from shared.instants import FIRST, LAST, from_micros, micros

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value under a key that this reader does not hold, or that was destroyed."""

    key_id: str
    box: bytes  # nonce and ciphertext with tag


Private = str | Sealed
"""A sealed field: text to the owning service, opaque to all others and once erased."""


class Event:
    """Base of every fact; subclasses are frozen dataclasses declared with `@fact()`."""

    __slots__ = ()
    type_name: ClassVar[str]
    version: ClassVar[int]
    etsi: ClassVar[str | Callable[[Any], str | None] | None]
    personal: ClassVar[tuple[str, ...]]
    confidential: ClassVar[tuple[str, ...]]


class Meta(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
):
    """What is known of every fact without opening it. Holds nothing personal.

    msgspec writes and reads it as it is stored: what is not known is left out.
    """

    at_micros: Annotated[int, msgspec.Meta(ge=FIRST, le=LAST)] = msgspec.field(
        name="at"
    )
    command_id: UUID
    correlation_id: UUID
    causation_id: UUID | None = None
    actor: str
    actor_kind: str
    role: str
    contact: str | None = None
    envelope: str | None = None
    reason: str | None = None
    grade: int | None = None
    etsi: str | None = None

    @property
    def at(self) -> datetime:
        """Return when it was; aware, UTC. Never earlier than before in a stream."""
        return from_micros(self.at_micros)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """A fact on its way in; its id is fixed before the first try."""

    event_id: UUID
    event: Event
    meta: Meta


class Recorded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event as the store returns it: the fact, and where and when it was written."""

    event: Event
    event_id: UUID
    stream: str
    version: int  # from 0 in its stream; what a writer expects
    position: int  # global and rising; what a reader remembers
    meta: Meta
    body: bytes  # as it is stored; what is private in it is sealed

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the stored body, 64 hex digits."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def recorded_at(self) -> datetime:
        """Return when the owning service stamped the fact; aware, UTC."""
        return self.meta.at


E = TypeVar("E", bound=type[Event])
CATALOGUE: Final[dict[str, type[Event]]] = {}
UPCASTERS: Final[dict[tuple[str, int], Upcaster]] = {}


def fact(
    *,
    version: int = 1,
    etsi: str | Callable[[Any], str | None] | None = None,
    personal: tuple[str, ...] = (),
    confidential: tuple[str, ...] = (),
) -> Callable[[E], E]:
    """Enter an event class in the catalogue; its wire name is its class name, for ever.

    Args:
        version: of the fields; raised with an `@upcast` from the version before.
        etsi: the event's name in ETSI EN 319 522-1, or a function of the event.
        personal: fields sealed under the contact's key, destroyed on erasure. The
            event must have a `contact_id`.
        confidential: fields sealed under the service's house key.

    The fields `contact_id`, `envelope_id`, `reason` and `grade`, where an event has
    them, are copied to its metadata, so that audit needs no edit for a new event.
    """

    def enter(cls: E) -> E:
        cls.type_name, cls.version, cls.etsi = cls.__name__, version, etsi
        cls.personal, cls.confidential = personal, confidential
        known = CATALOGUE.setdefault(cls.type_name, cls)
        if known.__module__ != cls.__module__:
            message = f"{cls.type_name} is declared in two modules"
            raise TypeError(message)
        CATALOGUE[cls.type_name] = cls
        return cls

    return enter


def upcast(type_name: str, version: int) -> Callable[[Upcaster], Upcaster]:
    """Declare how the fields of `version` become those of `version + 1`.

    The function maps dict to dict; sealed values pass through untouched.
    """

    def enter(function: Upcaster) -> Upcaster:
        if (type_name, version) in UPCASTERS:
            message = f"{type_name} v{version} is upcast twice"
            raise TypeError(message)
        UPCASTERS[type_name, version] = function
        return function

    return enter


def meta_of(event: Event, context: CallContext, at: datetime) -> Meta:
    """Return the metadata of `event`, caused by `context` at `at`."""
    etsi = type(event).etsi
    return Meta(
        at_micros=micros(at),
        command_id=context.command_id,
        correlation_id=context.correlation_id,
        causation_id=context.causation_id,
        actor=context.actor_id,
        actor_kind=context.actor_kind,
        role=context.role,
        contact=getattr(event, "contact_id", None),
        envelope=getattr(event, "envelope_id", None),
        reason=getattr(event, "reason", None),
        grade=getattr(event, "grade", None),
        etsi=etsi(event) if callable(etsi) else etsi,
    )


def event_id_of(context: CallContext, stream: str, index: int) -> UUID:
    """Return the id of the `index`-th fact that a command appends to `stream`."""
    return derived(context.command_id, f"{stream}/{index}")


def drafted(
    facts: Sequence[Event], context: CallContext, *, at: datetime, stream: str
) -> list[NewEvent]:
    """Dress facts for the store: ids from the command, metadata from the context."""
    return [
        NewEvent(
            event_id=event_id_of(context, stream, index),
            event=event,
            meta=meta_of(event, context, at),
        )
        for index, event in enumerate(facts)
    ]
