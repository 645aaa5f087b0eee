"""Requests and answers as bytes: one strict JSON form, derived from the annotations.

Whatever an `api` Protocol names goes over the wire: dataclasses, text, whole numbers,
booleans, bytes, instants (int64 microseconds), tuples, dicts of text, None. A value has
exactly one encoding; bytes that are not that encoding of their value are refused, which
shuts out unknown, missing and duplicate fields, NaN, and numbers written otherwise.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_type_hints

import msgspec

from shared.context import CallContext
from shared.messaging.shapes import Unfit, shape_of

__all__ = [
    "DEEPEST",
    "LARGEST",
    "LARGEST_REQUEST",
    "Operation",
    "Unfit",
    "decode_request",
    "decode_result",
    "encode_request",
    "encode_result",
    "operations_of",
]

LARGEST: Final = 4 * 1024 * 1024  # bytes of one answer
LARGEST_REQUEST: Final = 1024 * 1024  # bytes of one question; a letter has a tenth
MOST: Final = 50_000  # lists and objects in one body; a full page of rows has hundreds
DEEPEST: Final = 16  # levels of nesting; the deepest view has six
_BRACKET: Final = re.compile(rb"[\[\]{}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of an `api` Protocol."""

    name: str
    request: type
    result: Any  # a type or a generic alias


def operations_of(protocol: type) -> Mapping[str, Operation]:
    """Return the operations of an `api` Protocol by name.

    Raises:
        TypeError: an operation that is not `(request, context) -> answer`, or a type
            that cannot go over the wire.
    """
    found: dict[str, Operation] = {}
    for name, method in inspect.getmembers(protocol, inspect.isfunction):
        if name.startswith("_"):
            continue
        hints = get_type_hints(method)
        if list(hints) != ["request", "context", "return"]:
            message = f"{protocol.__name__}.{name} is not (request, context) -> answer"
            raise TypeError(message)
        found[name] = Operation(
            name=name, request=hints["request"], result=hints["return"]
        )
        shape_of(hints["request"])
        shape_of(hints["return"])
    return found


def encode_request(
    operation: Operation, request: object, context: CallContext
) -> bytes:
    """Return a request as bytes.

    Raises:
        Unfit: the request is not of the operation's type, or is too large.
    """
    return _written(
        {
            "context": shape_of(CallContext).encode(context),
            "request": shape_of(operation.request).encode(request),
        },
        LARGEST_REQUEST,
    )


def decode_request(operation: Operation, body: bytes) -> tuple[Any, CallContext]:
    """Return request and context.

    Raises:
        Unfit: as the module says.
    """
    plain = _read(body, LARGEST_REQUEST)
    if not isinstance(plain, dict) or set(plain) != {"context", "request"}:
        raise Unfit("fields")
    request = shape_of(operation.request).decode(plain["request"])
    context: CallContext = shape_of(CallContext).decode(plain["context"])
    if encode_request(operation, request, context) != body:
        raise Unfit("canonical")
    return request, context


def encode_result(operation: Operation, result: object) -> bytes:
    """Return an answer as bytes. Raises Unfit as `encode_request`."""
    return _written(shape_of(operation.result).encode(result), LARGEST)


def decode_result(operation: Operation, body: bytes) -> Any:
    """Return an answer. Raises Unfit as `decode_request`."""
    result = shape_of(operation.result).decode(_read(body, LARGEST))
    if encode_result(operation, result) != body:
        raise Unfit("canonical")
    return result


def _written(plain: object, largest: int) -> bytes:
    body = msgspec.json.encode(plain)
    if len(body) > largest:
        raise Unfit("size")
    return body


def _read(body: bytes, largest: int) -> Any:
    if len(body) > largest:
        raise Unfit("size")
    _refuse_deep(body)
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Unfit("json") from None


def _refuse_deep(body: bytes) -> None:
    """Count brackets outside text: nothing deep or endless is worth the parser's time.

    Takes a time linear in the length of `body`, whatever is in it.
    """
    unescaped = body.replace(rb"\\", b"").replace(rb"\"", b"")
    outside = b"".join(unescaped.split(b'"')[::2])
    depth = 0
    for count, bracket in enumerate(_BRACKET.finditer(outside)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEEPEST:
            raise Unfit("depth")
        if count > 2 * MOST:
            raise Unfit("size")
