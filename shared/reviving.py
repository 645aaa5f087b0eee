"""Facts from stored fields: typed, nothing unknown. Worked out once for each class."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec

from shared.events import Event
from shared.instants import from_micros, micros


class Form:
    """Reads the facts of one class.

    Each class has a twin, a struct whose times are microseconds and which refuses what
    it does not know; a dataclass alone would skip it.
    """

    def __init__(self, cls: Any) -> None:
        """Work out what the fields of `cls` are on disk."""
        self.cls: type[Event] = cls
        self.private: tuple[str, ...] = (*cls.personal, *cls.confidential)
        self._times = times_of(cls)
        hints = get_type_hints(cls)
        self._twin = msgspec.defstruct(
            cls.__name__,
            [_field(field, hints[field.name]) for field in dataclasses.fields(cls)],
            kw_only=True,
            forbid_unknown_fields=True,
            gc=False,
        )
        self.fields = msgspec.json.Decoder(self._twin).decode
        """Return the twin of stored bytes; raises msgspec's errors and ValueError."""
        self._same = msgspec.json.Decoder(self.cls).decode

    def fact(self, body: bytes) -> Event:
        """Return the fact of stored bytes, nothing opened; raises as the others."""
        fields = self.fields(body)
        return self.event(fields) if self._times else self._same(body)

    def converted(self, fields: Mapping[str, Any]) -> msgspec.Struct:
        """Return the twin of fields that are decoded already; raises as `fields`."""
        return msgspec.convert(fields, self._twin)

    def event(self, fields: msgspec.Struct) -> Event:
        """Return the fact of a twin, whose times are changed by it.

        Raises:
            OverflowError: a time is before the year 1 or after 9999.
        """
        for name in self._times:
            value = getattr(fields, name)
            if value is not None:
                setattr(fields, name, from_micros(value))
        return msgspec.convert(fields, self.cls, from_attributes=True)


@cache
def form_of(cls: Any) -> Form:
    """Return the one form of an event class."""
    return Form(cls)


@cache
def times_of(cls: Any) -> tuple[str, ...]:
    """Return which fields of a dataclass are instants, or may be."""
    hints = get_type_hints(cls)
    return tuple(f.name for f in dataclasses.fields(cls) if _is_time(hints[f.name]))


def _is_time(hint: Any) -> bool:
    return hint is datetime or datetime in get_args(hint)


def _field(field: dataclasses.Field[Any], hint: Any) -> tuple[str, Any, Any]:
    if _is_time(hint):
        hint = int if hint is datetime else int | None
    default, factory = field.default, field.default_factory
    if default is dataclasses.MISSING:
        default = msgspec.NODEFAULT
    elif isinstance(default, datetime):
        default = micros(default)
    if factory is dataclasses.MISSING:
        return field.name, hint, msgspec.field(default=default)
    return field.name, hint, msgspec.field(default_factory=factory)
