"""What stands outside a sealed message, and how it is written in AMQP headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

SCHEMA: Final = 1  # of the message format
CONTENT_TYPE: Final = "application/vnd.letterlock.sealed"
ENCODING: Final = "binary"
LARGEST: Final = 4 * 1024 * 1024 + 64  # bytes of one sealed answer
LARGEST_REQUEST: Final = 1024 * 1024 + 64  # bytes of one sealed question
_WORD: Final = re.compile(r"[a-z][a-z_]{1,40}")
_QUEUE: Final = re.compile(r"[a-z0-9.-]{1,120}")
_INT64: Final = 2**63
_NAMES: Final = frozenset(
    {"v", "direction", "caller", "service", "operation", "id", "command", "expires"}
)

Direction = Literal["request", "reply"]


class Refusal(Exception):
    """A message that is not acted upon. `cause` is a code and holds no content."""

    def __init__(self, cause: str) -> None:
        """Refuse for `cause`."""
        super().__init__(cause)
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Who asks whom for what; all of it is authenticated by the seal."""

    direction: Direction
    caller: str
    service: str
    operation: str
    message_id: UUID  # of this message; a reply has its request's
    command_id: UUID
    expires: int  # microseconds since 1970 UTC
    reply_to: str  # queue of the answer


def headers_of(label: Label) -> dict[str, object]:
    """Return the AMQP headers of a label; its `reply_to` is a property of its own."""
    return {
        "v": SCHEMA,
        "direction": label.direction,
        "caller": label.caller,
        "service": label.service,
        "operation": label.operation,
        "id": str(label.message_id),
        "command": str(label.command_id),
        "expires": label.expires,
    }


def label_of(
    properties: Mapping[str, object], headers: Mapping[str, object], body: object
) -> Label:
    """Return the label of a message from the outside; nothing of the body is read.

    Raises:
        Refusal: `content_type`, `size`, `schema` (version of the format), `headers`.
    """
    if (
        properties.get("content_type") != CONTENT_TYPE
        or properties.get("content_encoding") != ENCODING
        or not isinstance(body, bytes | memoryview)
    ):
        raise Refusal("content_type")
    answer = headers.get("direction") == "reply"
    if len(body) > (LARGEST if answer else LARGEST_REQUEST):
        raise Refusal("size")
    own = {name: x for name, x in headers.items() if not _foreign(name)}
    if type(own.get("v")) is not int or own["v"] != SCHEMA:
        raise Refusal("schema")
    expires, direction = own.get("expires"), own.get("direction")
    reply_to = properties.get("reply_to", "")
    if (
        own.keys() != _NAMES
        or direction not in {"request", "reply"}
        or type(expires) is not int
        or not 0 < expires < _INT64
        or not (isinstance(reply_to, str) and _QUEUE.fullmatch(reply_to))
    ):
        raise Refusal("headers")
    return Label(
        direction=direction,
        caller=_word(own["caller"]),
        service=_word(own["service"]),
        operation=_word(own["operation"]),
        message_id=_id(own["id"]),
        command_id=_id(own["command"]),
        expires=expires,
        reply_to=reply_to,
    )


def _foreign(name: object) -> bool:
    """Return whether a header is the broker's own."""
    return isinstance(name, str) and name.startswith("x-")


def _word(value: object) -> str:
    if not (isinstance(value, str) and _WORD.fullmatch(value)):
        raise Refusal("headers")
    return value


def _id(value: object) -> UUID:
    try:
        found = UUID(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or str(found) != value:
        raise Refusal("headers")
    return found
