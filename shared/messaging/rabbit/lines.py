"""Lines over RabbitMQ: each is one connection that one thread at a time uses."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from uuid import uuid4

from shared.messaging.label import (
    CONTENT_TYPE,
    ENCODING,
    Label,
    Refusal,
    headers_of,
    label_of,
)
from shared.messaging.names import ASK, REPLY, own_queue
from shared.messaging.port import Unreachable
from shared.messaging.rabbit.broker import (
    BROKEN,
    CONNECT,
    Broker,
    Consumer,
    Exchange,
    MessageNacked,
    Producer,
    Queue,
    RefusesUs,
    bounded,
    why,
)

_log = logging.getLogger(__name__)
IDLE: Final = 60.0  # s after which a line is not trusted to be still there
SPARE: Final = 16  # lines kept for the next who needs one
TRANSIENT: Final = 1  # delivery mode


class NobodyThere(Unreachable):
    """The broker has no queue for the message; it was returned."""


class RabbitLine:
    """A connection, a channel that confirms, and a queue for answers of its own."""

    def __init__(self, broker: Broker) -> None:
        """Connect. Raises BROKEN."""
        self.used = time.monotonic()
        self._address = own_queue("reply", broker.user, uuid4().hex)
        self._connection = broker.connect()
        self._returned: list[str] = []
        self._answers: list[Any] = []
        self._consumer: Any = None
        try:
            with bounded(self._connection):
                self._channel = self._connection.channel()
            self._producer = Producer(self._channel, on_return=self._on_return)
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """Return the queue of this line's answers."""
        return self._address

    def ask(self, label: Label, body: bytes, timeout: float) -> tuple[Label, bytes]:
        """As `Line.ask`. A line on which it failed is of no more use."""
        end = time.monotonic() + timeout
        try:
            self._listen()
            self._answers.clear()
            self.publish(ASK, f"{label.service}.{label.operation}", label, body)
            # The answer may come before the broker confirms the question: look first.
            while (found := self._answer_to(label)) is None:
                left = end - time.monotonic()
                if left <= 0:
                    message = f"{label.service} did not answer in time"
                    raise Unreachable(message)
                with suppress(TimeoutError):
                    self._connection.drain_events(timeout=left)
        except BROKEN as error:
            message = f"the way to {label.service} is broken: {type(error).__name__}"
            raise Unreachable(message) from None
        return found

    def _answer_to(self, label: Label) -> tuple[Label, bytes] | None:
        """Return the answer to a question if it came; forget what else did."""
        came = [_answer(message) for message in self._answers]
        self._answers.clear()
        return next(
            (a for a in came if a and a[0].message_id == label.message_id), None
        )

    def publish(self, exchange: str, key: str, label: Label, body: bytes) -> None:
        """Hand a sealed message to the broker, confirmed, transient and mandatory.

        Raises:
            NobodyThere: no queue takes it.
            BROKEN: the broker did not confirm it.
        """
        self.put(
            exchange,
            key,
            body,
            content_type=CONTENT_TYPE,
            content_encoding=ENCODING,
            headers=headers_of(label),
            reply_to=label.reply_to,
            delivery_mode=TRANSIENT,
        )

    def put(self, exchange: str, key: str, body: bytes, **properties: Any) -> None:
        """As `publish`, with any properties."""
        self._returned.clear()
        self._producer.publish(
            body,
            routing_key=key,
            exchange=exchange,
            mandatory=True,
            confirm_timeout=CONNECT,
            **properties,
        )
        self.used = time.monotonic()
        if self._returned:
            message = f"no queue takes what is sent to {key}"
            raise NobodyThere(message)

    def close(self) -> None:
        """Hang up; the queue of answers goes with it."""
        with suppress(*BROKEN):
            self._connection.close()

    def _listen(self) -> None:
        if self._consumer is None:
            queue = Queue(
                self._address,
                Exchange(REPLY, type="topic", passive=True, no_declare=True),
                routing_key=self._address,
                exclusive=True,
                auto_delete=True,
                durable=False,
            )
            with bounded(self._connection):  # declares, binds and consumes
                self._consumer = Consumer(
                    self._channel,
                    [queue],
                    no_ack=True,
                    on_message=self._answers.append,
                )
                self._consumer.consume()

    def _on_return(self, error: object, *about: object) -> None:
        del about
        self._returned.append(str(error))


class RabbitLines:
    """Lends lines of one user; makes them as needed, drops those that failed."""

    def __init__(self, broker: Broker) -> None:
        """Connect to `broker` when first asked."""
        self._broker = broker
        self._lock = threading.Lock()
        self._spare: list[RabbitLine] = []
        self._closed = False

    @contextmanager
    def line(self) -> Iterator[RabbitLine]:
        """As `Carrier.line`."""
        line = self._take()
        try:
            yield line
        except (NobodyThere, MessageNacked):  # the broker said no: the line is well
            self._give(line)
            raise
        except BaseException:
            line.close()
            raise
        self._give(line)

    def close(self) -> None:
        """Hang up all spare lines."""
        with self._lock:
            self._closed = True
            spare, self._spare = self._spare, []
        for line in spare:
            line.close()

    def _take(self) -> RabbitLine:
        with self._lock:
            fresh = time.monotonic() - IDLE
            old = [line for line in self._spare if line.used < fresh]
            self._spare = [line for line in self._spare if line.used >= fresh]
            taken = self._spare.pop() if self._spare else None
        for line in old:
            line.close()
        if taken:
            return taken
        try:
            return RabbitLine(self._broker)
        except BROKEN as error:
            message = f"no way to the broker: {why(error)}"
            if isinstance(error, RefusesUs):
                _log.error("%s", message)
            raise Unreachable(message) from None

    def _give(self, line: RabbitLine) -> None:
        with self._lock:
            keep = not self._closed and len(self._spare) < SPARE
            if keep:
                self._spare.append(line)
        if not keep:
            line.close()


def _answer(message: Any) -> tuple[Label, bytes] | None:
    """Return label and body of an answer; None for anything else."""
    try:
        label = label_of(
            {
                "content_type": message.content_type,
                "content_encoding": message.content_encoding,
                "reply_to": message.properties.get("reply_to"),
            },
            message.headers or {},
            message.body,
        )
    except Refusal:
        return None
    return label, bytes(message.body)
