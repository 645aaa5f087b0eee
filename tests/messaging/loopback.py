"""A carrier without a broker: questions go straight to the desks of this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from shared.messaging.desk import Desk
from shared.messaging.label import CONTENT_TYPE, ENCODING, Label, headers_of, label_of


class Loopback:
    """Lends itself as the line; sees every body that would cross the broker."""

    def __init__(self) -> None:
        self.desks: dict[str, Desk] = {}
        self.seen: list[tuple[Label, bytes]] = []

    @property
    def address(self) -> str:
        return "reply.test.1"

    @contextmanager
    def line(self) -> Iterator[Loopback]:
        yield self

    def ask(self, label: Label, body: bytes, timeout: float) -> tuple[Label, bytes]:
        self.seen.append((label, body))
        desk = self.desks[label.service]
        asked = desk.judge(through(label, body), body, redelivered=False)
        result, error = None, None
        try:
            result = desk.carry_out(
                asked.label, asked.operation.name, asked.request, asked.context
            )
        except Exception as raised:  # noqa: BLE001  # as the real loop does
            error = raised
        answer, sealed = desk.reply(asked, desk.outcome(asked, result, error))
        self.seen.append((answer, sealed))
        return through(answer, sealed), sealed


def through(label: Label, body: bytes) -> Label:
    """Return the label as it comes out of AMQP headers."""
    properties: Mapping[str, object] = {
        "content_type": CONTENT_TYPE,
        "content_encoding": ENCODING,
        "reply_to": label.reply_to,
    }
    return label_of(properties, headers_of(label), body)
