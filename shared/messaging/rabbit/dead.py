"""Dead letters: what could not be acted upon, kept with its cause, to be looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.messaging.label import CONTENT_TYPE, LARGEST
from shared.messaging.names import DEAD
from shared.messaging.rabbit.lines import RabbitLine

PERSISTENT: Final = 2
_LONGEST: Final = 120  # characters of a header that is kept
CAUSE: Final = "x-cause"
QUEUE: Final = "x-queue"
DIGEST: Final = "x-body-sha256"
SIZE: Final = "x-body-bytes"
ROUTE: Final = "x-route"
AGAIN: Final = "x-again"


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


def bury(line: RabbitLine, message: Any, queue: str, cause: str) -> None:
    """Put a message among the dead letters, durably, and confirmed.

    A body that was never sealed is not kept, only its digest and size.

    Raises:
        NobodyThere, BROKEN: it is not there; do not settle the message.
    """
    body = message.body if isinstance(message.body, bytes) else b""
    sealed = message.content_type == CONTENT_TYPE and len(body) <= LARGEST
    raw = message.body.encode() if isinstance(message.body, str) else body
    line.put(
        DEAD,
        queue,
        body if sealed else b"",
        content_type=CONTENT_TYPE if sealed else "application/octet-stream",
        content_encoding="binary",
        headers={
            **_kept(message.headers or {}),
            CAUSE: cause[:_LONGEST],
            QUEUE: queue,
            ROUTE: str(message.delivery_info.get("routing_key"))[:_LONGEST],
            DIGEST: hashlib.sha256(raw).hexdigest(),
            SIZE: len(raw),
            AGAIN: bool(message.delivery_info.get("redelivered")),
        },
        reply_to=_text(message.properties.get("reply_to")),
        delivery_mode=PERSISTENT,
    )


def seen(message: Any) -> DeadLetter:
    """Return a message of the dead letter queue as it is listed."""
    headers = dict(message.headers or {})
    deaths = headers.get("x-death") or [{}]
    first = deaths[0] if isinstance(deaths, list) else {}
    body = message.body if isinstance(message.body, bytes) else b""
    return DeadLetter(
        cause=str(headers.get(CAUSE) or f"broker:{first.get('reason', 'unknown')}"),
        queue=str(headers.get(QUEUE) or first.get("queue", "")),
        route=str(headers.get(ROUTE) or (first.get("routing-keys") or [""])[0]),
        digest=str(headers.get(DIGEST) or hashlib.sha256(body).hexdigest()),
        size=int(headers.get(SIZE, len(body))),
        again=bool(headers.get(AGAIN)),
        headers=_kept(headers),
    )


def _kept(headers: Mapping[str, object]) -> dict[str, object]:
    """Return the headers that every message of ours has, if they are short."""
    names = ("v", "direction", "caller", "service", "operation", "id", "command")
    kept: dict[str, object] = {
        name: headers[name]
        for name in names
        if isinstance(headers.get(name), str | int)
        and len(str(headers[name])) <= _LONGEST
    }
    if type(headers.get("expires")) is int:
        kept["expires"] = headers["expires"]
    return kept


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
