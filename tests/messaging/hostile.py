"""Messages written byte by byte, as no client library of ours would write them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from struct import pack
from typing import Any, Final

from amqp.basic_message import Message
from amqp.serialization import dumps

from shared.messaging.label import CONTENT_TYPE
from shared.messaging.names import ASK
from shared.settings import Settings
from tests.messaging.broker import raw_channel
from tests.messaging.poison import ANSWER, CANARY, Forge

TYPED: Final = CONTENT_TYPE.encode()
NOT_TEXT: Final = b"\xff\xfe"


@dataclass(kw_only=True)
class Written:
    """A message as the bytes of its properties and its body."""

    properties: bytes
    body: bytes = CANARY.encode() * 5
    cause: str = "content_type"


class Bytes(Message):  # type: ignore[misc]  # amqp is untyped
    """A message whose properties go out as they are."""

    def __init__(self, written: Written) -> None:
        super().__init__(written.body)
        self.written = written

    def _serialize_properties(self) -> bytes:
        return self.written.properties


def short(text: bytes) -> bytes:
    return pack("B", len(text)) + text


def entry(name: bytes, kind: bytes, value: bytes) -> bytes:
    """Return one header."""
    return short(name) + kind + value


def text(value: bytes) -> bytes:
    return pack(">I", len(value)) + value


def nested(levels: int) -> bytes:
    inner = b"I" + pack(">i", 1)
    for _ in range(levels):
        inner = b"A" + text(inner)
    return entry(b"deep", b"", inner)


def properties(
    table: bytes,
    *,
    content_type: bytes = TYPED,
    encoding: bytes = b"binary",
    expiration: bytes = b"",
) -> bytes:
    """Return the property bytes of a message with these headers."""
    flags = 0x8000 | 0x4000 | 0x2000 | 0x0200 | (0x0100 if expiration else 0)
    return b"".join(
        (
            pack(">H", flags),
            short(content_type),
            short(encoding),
            text(table),
            short(ANSWER.encode()),
            short(expiration) if expiration else b"",
        )
    )


@dataclass
class Hostile:
    """Makes the unreadable kinds out of the headers of a genuine message."""

    forge: Forge
    headers: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.headers = self.forge.good().headers

    def table(self, more: bytes = b"", **headers: object) -> bytes:
        written: bytes = dumps("F", [{**self.headers, **headers}])
        return written[4:] + more

    def kinds(self) -> dict[str, Written]:
        """Return each kind; each made a library raise, unpack, decode or hang."""
        long_ago = entry(b"when", b"T", pack(">Q", 2**62))
        slow = b"a" * 1000 + b"-" + b"b" * 2_000_000

        def headed(more: bytes = b"", **headers: object) -> Written:
            return Written(properties=properties(self.table(more, **headers)))

        bomb = Written(
            properties=properties(self.table(compression="application/x-gzip")),
            body=zlib.compress(bytes(64 * 2**20), 9),
        )
        return {
            "unknown compression": headed(compression="nonsense"),
            "compression bomb": bomb,
            "header name": headed(entry(NOT_TEXT, b"S", text(b"a"))),
            "header value": replace(
                headed(entry(b"odd", b"S", text(NOT_TEXT))), cause="headers"
            ),
            "content type": Written(
                properties=properties(self.table(), content_type=NOT_TEXT)
            ),
            "nested headers": headed(nested(3000)),
            "nearly too nested": headed(nested(960)),
            "far time": headed(long_ago),
            "short number": replace(
                headed(entry(b"s", b"s", b"\xff\xff")), cause="headers"
            ),
            "slow codec": Written(
                properties=properties(self.table(), encoding=b"punycode"), body=slow
            ),
            "no properties": Written(properties=b"\0\0"),
        }

    def copied(self, to: str, name: str = "CC") -> Written:
        """Return a message that asks the broker for a copy to another service."""
        return Written(properties=properties(self.table(**{name: [to]})))

    def expired(self) -> Written:
        """Return what the broker buries at once, with headers as if it were ours."""
        lies: dict[str, object] = {
            "x-cause": CANARY,
            "x-queue": 7,
            "x-body-bytes": CANARY,
            "x-body-sha256": CANARY,
            "x-again": True,
        }
        return Written(properties=properties(self.table(**lies), expiration=b"0"))


def put(
    settings: Settings,
    written: Written,
    *,
    user: str = "portal",
    exchange: str = ASK,
    key: str | bytes = "crm.create",
) -> None:
    """Publish a message as it is, confirmed."""
    with raw_channel(settings, user) as channel:
        channel.basic_publish_confirm(
            Bytes(written), exchange=exchange, routing_key=key
        )
