"""Reads the dead letter queue: to look at it, or to put genuine messages back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from shared.messaging.label import Label, Refusal, label_of
from shared.messaging.names import ASK, DEAD
from shared.messaging.port import Unreachable
from shared.messaging.rabbit.broker import BROKEN, Broker, why
from shared.messaging.rabbit.dead import DeadLetter, seen
from shared.messaging.rabbit.lines import NobodyThere, RabbitLine

Renewed = tuple[Label, bytes]
Renew = Callable[[DeadLetter, Label, bytes], Renewed | None]
"""Return a dead message fit to be sent again, or None to leave it."""


def visit(broker: Broker, renew: Renew | None = None) -> list[tuple[DeadLetter, bool]]:
    """Return the dead letters, oldest first, and which were put back.

    A message that was buried twice, by a process killed in between, is one letter.
    Without `renew` nothing changes: how often a broker lets a message be looked at is
    set out of reach (`topology`). What is put back leaves the dead letters only once
    the broker has confirmed that its queue took it.

    Raises:
        Unreachable: the broker failed; nothing was lost.
    """
    found: list[tuple[DeadLetter, bool]] = []
    left: list[int] = []
    try:
        connection = broker.connect()
        sending = RabbitLine(broker)
        try:
            channel = connection.channel()
            (_, waiting, _) = channel.queue_declare(DEAD, passive=True)
            for _ in range(waiting):
                message = channel.basic_get(DEAD, no_ack=False)
                if message is None:
                    break
                letter, back = _visited(channel, message, sending, renew)
                found.append((letter, back))
                if not back:
                    left.append(message.delivery_tag)
            for tag in left:  # one by one, or the broker would shuffle them
                channel.basic_reject(tag, requeue=True)
        finally:
            sending.close()
            connection.close()  # what was not acknowledged stays
    except BROKEN as error:
        message = f"no way to the broker: {why(error)}"
        raise Unreachable(message) from None
    return each_once(found)


def each_once(
    found: Sequence[tuple[DeadLetter, bool]],
) -> list[tuple[DeadLetter, bool]]:
    """Leave out second burials, in whatever order the broker hands them out."""
    known = {letter.same_as() for letter, _ in found if not letter.again}
    kept: list[tuple[DeadLetter, bool]] = []
    for letter, back in found:
        if letter.again and letter.same_as() in known:
            continue
        known.add(letter.same_as())
        kept.append((letter, back))
    return kept


def _visited(
    channel: Any, raw: Any, sending: RabbitLine, renew: Renew | None
) -> tuple[DeadLetter, bool]:
    message = channel.message_to_python(raw)
    letter = seen(message)
    again = renew and _renewed(message, letter, renew)
    if not again:
        return letter, False
    label, body = again
    try:
        sending.publish(ASK, f"{label.service}.{label.operation}", label, body)
    except NobodyThere:
        return letter, False
    message.ack()
    return letter, True


def _renewed(message: Any, letter: DeadLetter, renew: Renew) -> Renewed | None:
    properties = {
        "content_type": message.content_type,
        "content_encoding": message.content_encoding,
        "reply_to": message.properties.get("reply_to"),
    }
    try:
        label = label_of(properties, message.headers or {}, message.body)
    except Refusal:
        return None
    return renew(letter, label, bytes(message.body))
