"""What the broker hands us, made harmless before a library acts upon it.

A stranger's properties may hold what a library cannot read, or what it does on its own:
unpack a body, or decode it with any codec that Python has. Such a message goes on
without properties, and so is refused like any other that is not ours.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack_from
from typing import Any, Final

from amqp import spec
from amqp.method_framing import frame_handler
from amqp.serialization import decode_properties_basic

_METHOD: Final = 1  # kinds of frame
_HEADER: Final = 2
_PROPERTIES: Final = 12  # where they begin in a header frame
_NONE: Final = b"\0\0"  # no properties
_DEEPEST: Final = 4  # levels of nesting in a table; the broker's own tables have three
_SELF_ACTING: Final = "compression"  # header at which kombu unpacks the body
_ENCODINGS: Final = (None, "binary")  # amqp decodes a body that names another

Frame = tuple[int, int, bytes]


def tolerant(connection: Any, callback: Callable[..., None]) -> Callable[[Frame], bool]:
    """Do as amqp's `frame_handler`, but let no message end the connection."""
    handle = frame_handler(connection, callback)

    def on_frame(frame: Frame) -> bool:
        kind, channel, payload = frame
        if kind == _HEADER:
            payload = readable(payload)
        elif kind == _METHOD:
            payload = plain_key(payload)
        told: bool = handle((kind, channel, payload))
        return told

    return on_frame


def readable(header: bytes) -> bytes:
    """Return a header frame as it is, or without properties if they are not fit."""
    try:
        properties, _ = decode_properties_basic(header, _PROPERTIES)
        table = properties.get("application_headers", {})
        fit = (
            properties.get("content_encoding") in _ENCODINGS
            and all(type(name) is str and name != _SELF_ACTING for name in table)
            and _depth(table) <= _DEEPEST
        )
    except Exception:  # noqa: BLE001  # whatever was written into it
        fit = False
    return header if fit else header[:_PROPERTIES] + _NONE


def plain_key(method: bytes) -> bytes:
    """Return a method frame with the routing key of what is delivered in ASCII."""
    at = 4 + 8 + 1  # method, delivery tag, redelivered
    match unpack_from(">HH", method):
        case spec.Basic.Deliver:
            at += 1 + method[4]  # the consumer's tag, too
        case spec.Basic.GetOk:
            pass
        case _:
            return method
    at += 1 + method[at] + 1  # the exchange
    end = at + method[at - 1]
    if method[at:end].isascii():
        return method
    key = bytes(byte if byte < 0x80 else ord("?") for byte in method[at:end])  # noqa: PLR2004  # ASCII
    return method[:at] + key + method[end:]


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
