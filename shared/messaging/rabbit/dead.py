"""Dead letters: what could not be acted upon, kept with its cause, to be looked at."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.messaging.label import CONTENT_TYPE, LARGEST
from shared.messaging.names import DEAD
from shared.messaging.rabbit.lines import RabbitLine

PERSISTENT: Final = 2
CURABLE: Final = ("late", "failed:", "broker:")
"""Causes that may be gone. Of the others the body is not kept: none is put back."""
_LONGEST: Final = 120  # characters of a header that is kept
_PLAIN: Final = re.compile(rf"[A-Za-z0-9._:-]{{0,{_LONGEST}}}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_INT64: Final = range(-(2**63), 2**63)
CAUSE: Final = "x-cause"
QUEUE: Final = "x-queue"
DIGEST: Final = "x-body-sha256"
SIZE: Final = "x-body-bytes"
ROUTE: Final = "x-route"
AGAIN: Final = "x-again"
_DEATHS: Final = "x-death"  # written by the broker, when it buries by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One dead letter as it is listed; its body is never shown."""

    cause: str
    queue: str
    route: str
    digest: str  # of the body, SHA-256
    size: int  # bytes of the body
    again: bool  # buried from a second delivery: maybe buried before, too
    headers: Mapping[str, object]

    def same_as(self) -> tuple[object, ...]:
        """Return what a second burial of one message has in common with the first.

        A process that is killed between burying and acknowledging buries again.
        """
        return (self.digest, self.queue, self.route, str(self.headers.get("id")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Burial:
    """What goes among the dead letters in place of a message."""

    queue: str  # it came by
    body: bytes
    properties: Mapping[str, Any]


def burial_of(message: Any, queue: str, cause: str) -> Burial:
    """Return what to bury of a message, whatever was written into it.

    A body that was never sealed, or that nobody will put back, is not kept, only its
    digest and size.
    """
    body = bytes(message.body or b"")
    sealed = message.content_type == CONTENT_TYPE and len(body) <= LARGEST
    kept = sealed and cause.startswith(CURABLE)
    return Burial(
        queue=queue,
        body=body if kept else b"",
        properties={
            "content_type": CONTENT_TYPE if kept else "application/octet-stream",
            "content_encoding": "binary",
            "headers": {
                **_kept(message.headers or {}),
                CAUSE: _plain(cause),
                QUEUE: queue,
                ROUTE: _plain(message.delivery_info.get("routing_key")),
                DIGEST: hashlib.sha256(body).hexdigest(),
                SIZE: len(body),
                AGAIN: bool(message.delivery_info.get("redelivered")),
            },
            "reply_to": _plain(message.properties.get("reply_to")),
            "delivery_mode": PERSISTENT,
        },
    )


def bury(line: RabbitLine, burial: Burial) -> None:
    """Put it among the dead letters, durably, and confirmed.

    Raises:
        MessageNacked: they are full. Do not settle the message.
        NobodyThere, BROKEN: it is not there. Do not settle the message.
    """
    line.put(DEAD, burial.queue, burial.body, **burial.properties)


def seen(message: Any) -> DeadLetter:
    """Return a message of the dead letter queue as it is listed, whoever put it there.

    What the broker buried has the headers that a stranger gave it: they are not
    believed, and nothing is told of them but short plain words.
    """
    headers = dict(message.headers or {})
    body = bytes(message.body or b"")
    digest, size = headers.get(DIGEST), headers.get(SIZE)
    if _DEATHS in headers:
        death = _first_death(headers[_DEATHS])
        cause = f"broker:{_plain(death.get('reason')) or 'unknown'}"
        queue, keys = death.get("queue"), death.get("routing-keys")
        route = keys[0] if isinstance(keys, list) and keys else ""
        digest = size = None
    else:
        cause = _plain(headers.get(CAUSE)) or "unreadable"
        queue, route = headers.get(QUEUE), headers.get(ROUTE)
    own = isinstance(digest, str) and _DIGEST.fullmatch(digest)
    return DeadLetter(
        cause=cause,
        queue=_plain(queue),
        route=_plain(route),
        digest=str(digest) if own else hashlib.sha256(body).hexdigest(),
        size=size if type(size) is int and size >= 0 else len(body),
        again=_DEATHS not in headers and bool(headers.get(AGAIN)),
        headers=_kept(headers),
    )


def _first_death(deaths: object) -> Mapping[str, object]:
    first = deaths[0] if isinstance(deaths, list) and deaths else None
    return first if isinstance(first, dict) else {}


def _kept(headers: Mapping[str, object]) -> dict[str, object]:
    """Return the headers that every message of ours has, if short and plain."""
    names = ("v", "direction", "caller", "service", "operation", "id", "command")
    kept: dict[str, object] = {
        name: text for name in names if (text := _plain(headers.get(name)))
    }
    for name in ("v", "expires"):
        number = headers.get(name)
        if type(number) is int and number in _INT64:
            kept[name] = number
    return kept


def _plain(value: object) -> str:
    """Return a short text of letters, digits and a few signs; of others, nothing."""
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else ""
