"""How the types of an `api` become plain JSON values and come back, strictly.

No value is ever converted: a number is no text, 1 is not True, a list is a tuple only
where a tuple is asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from shared.clock import from_micros, micros

_INT64: Final = range(-(2**63), 2**63)


class Unfit(Exception):
    """The bytes are not what this operation takes. Says what rule, never a value."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How values of one type become plain JSON values and come back."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


@cache
def shape_of(kind: Any) -> Shape:
    """Return the shape of a type.

    Raises:
        TypeError: it cannot go over the wire.
    """
    if kind in _PLAIN:
        return _PLAIN[kind]
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind)
    match get_origin(kind), get_args(kind):
        case (origin, (one, other)) if origin in (Union, UnionType) and (
            NoneType in (one, other)
        ):
            shape = _optional(shape_of(other if one is NoneType else one))
        case (origin, parts) if origin is Literal:
            shape = _literal(parts)
        case (origin, (item, end)) if origin is tuple and end is Ellipsis:
            shape = _sequence(shape_of(item))
        case (origin, parts) if origin is tuple and parts:
            shape = _fixed([shape_of(part) for part in parts])
        case (origin, parts) if origin is dict and parts == (str, str):
            shape = _texts()
        case _:
            message = f"{kind!r} cannot go over the wire"
            raise TypeError(message)
    return shape


def _exactly(kind: type) -> Shape:
    def same(value: Any) -> Any:
        if type(value) is not kind:
            raise Unfit(kind.__name__)
        return value

    return Shape(same, same)


def _whole(value: Any) -> int:
    if type(value) is not int or value not in _INT64:
        raise Unfit("int")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Unfit("str")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unfit("str") from None
    return value


def _instant(value: Any) -> datetime:
    try:
        return from_micros(_whole(value))
    except OverflowError:
        raise Unfit("datetime") from None


def _micros(value: Any) -> int:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise Unfit("datetime")
    return micros(value)


def _uuid(value: Any) -> UUID:
    try:
        return UUID(_text(value))
    except ValueError:
        raise Unfit("uuid") from None


def _id(value: Any) -> str:
    if type(value) is not UUID:
        raise Unfit("uuid")
    return str(value)


def _bytes(value: Any) -> bytes:
    try:
        return bytes.fromhex(_text(value))
    except ValueError:
        raise Unfit("bytes") from None


def _hex(value: Any) -> str:
    if type(value) is not bytes:
        raise Unfit("bytes")
    return value.hex()


def _optional(inner: Shape) -> Shape:
    return Shape(
        lambda value: None if value is None else inner.encode(value),
        lambda value: None if value is None else inner.decode(value),
    )


def _literal(allowed: tuple[Any, ...]) -> Shape:
    def same(value: Any) -> Any:
        if _text(value) not in allowed:
            raise Unfit("literal")
        return value

    return Shape(same, same)


def _sequence(inner: Shape) -> Shape:
    def encode(value: Any) -> list[Any]:
        if type(value) is not tuple:
            raise Unfit("tuple")
        return [inner.encode(item) for item in value]

    def decode(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise Unfit("tuple")
        return tuple(inner.decode(item) for item in value)

    return Shape(encode, decode)


def _fixed(inner: list[Shape]) -> Shape:
    def encode(value: Any) -> list[Any]:
        if type(value) is not tuple or len(value) != len(inner):
            raise Unfit("tuple")
        return [shape.encode(x) for shape, x in zip(inner, value, strict=True)]

    def decode(value: Any) -> tuple[Any, ...]:
        if type(value) is not list or len(value) != len(inner):
            raise Unfit("tuple")
        return tuple(shape.decode(x) for shape, x in zip(inner, value, strict=True))

    return Shape(encode, decode)


def _texts() -> Shape:
    def same(value: Any) -> dict[str, str]:
        if type(value) is not dict:
            raise Unfit("dict")
        return {_text(key): _text(item) for key, item in value.items()}

    return Shape(same, same)


def _dataclass(kind: type) -> Shape:
    hints = get_type_hints(kind)
    shapes = {f.name: shape_of(hints[f.name]) for f in dataclasses.fields(kind)}

    def encode(value: Any) -> dict[str, Any]:
        if type(value) is not kind:
            raise Unfit(kind.__name__)
        return {n: shape.encode(getattr(value, n)) for n, shape in shapes.items()}

    def decode(value: Any) -> Any:
        if type(value) is not dict or value.keys() != shapes.keys():
            raise Unfit("fields")
        return kind(**{n: shape.decode(value[n]) for n, shape in shapes.items()})

    return Shape(encode, decode)


_PLAIN: Final[dict[Any, Shape]] = {
    str: Shape(_text, _text),
    int: Shape(_whole, _whole),
    bool: _exactly(bool),
    bytes: Shape(_hex, _bytes),
    datetime: Shape(_micros, _instant),
    UUID: Shape(_id, _uuid),
}
