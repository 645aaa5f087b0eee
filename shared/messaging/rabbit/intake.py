"""The queue of one service, read: poison is buried, the rest handed on, all settled.

One thread at a time calls `next`; any thread may call `settle`. What is acknowledged
was answered or buried before; what is neither comes again.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from shared.messaging.desk import Asked, Desk
from shared.messaging.label import Refusal, label_of
from shared.messaging.names import REPLY, queue_of
from shared.messaging.port import Unreachable
from shared.messaging.rabbit.broker import BROKEN, Broker, Consumer, Queue, bounded
from shared.messaging.rabbit.dead import bury
from shared.messaging.rabbit.lines import NobodyThere, RabbitLines

_log = logging.getLogger(__name__)
PAUSE: Final = 1.0  # s at most before a broken connection is made again
TRIES: Final = 3  # to hand an answer to the broker


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One message that passed the gate and waits to be carried out."""

    asked: Asked
    message: Any
    generation: int  # of the connection it came by


class Intake:
    """Reads the queue of a service for as long as the process lives."""

    def __init__(
        self,
        broker: Broker,
        service: str,
        desk: Desk,
        lines: RabbitLines,
        *,
        ahead: int,
    ) -> None:
        """Take at most `ahead` unsettled messages; connect when first asked."""
        self._broker = broker
        self._service = service
        self._desk = desk
        self._lines = lines
        self._ahead = ahead
        self._connection: Any = None
        self._generation = 0
        self._raw: deque[Any] = deque()
        self._settled: deque[tuple[int, Any]] = deque()
        self._graves: deque[tuple[int, Any, str]] = deque()
        self._lock = threading.Lock()

    def next(self, timeout: float) -> Sequence[Arrived]:
        """Return what came within `timeout` s, judged. Never raises for the broker."""
        try:
            if self._connection is None:
                self._connect()
            self._flush()
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=timeout)
            self._flush()
        except BROKEN as error:
            _log.warning("the queue is away: %s", type(error).__name__)
            self._hang_up()
            time.sleep(random.uniform(0.1, PAUSE))  # noqa: S311  # nosec B311  # jitter, no secret
            return ()
        arrived = []
        while self._raw:
            message = self._raw.popleft()
            try:
                arrived.append(self._judged(message))
            except Refusal as refusal:
                self._bury(self._generation, message, refusal.cause)
        self._acknowledge()
        return arrived

    def _acknowledge(self) -> None:
        """Settle at once what was buried; trouble shows at the next look."""
        with suppress(*BROKEN):
            self._flush()

    def settle(
        self, arrived: Arrived, result: object, error: BaseException | None
    ) -> None:
        """Answer a message, bury it if it failed, and acknowledge it."""
        outcome = self._desk.outcome(arrived.asked, result, error)
        label, body = self._desk.reply(arrived.asked, outcome)
        for _ in range(TRIES):
            try:
                with self._lines.line() as line:
                    line.publish(REPLY, label.reply_to, label, body)
            except NobodyThere:
                break  # the caller no longer waits; what was done is done
            except (Unreachable, *BROKEN):
                continue
            break
        else:
            return  # not acknowledged: it comes again, and gives the same answer
        if outcome.cause:
            self._bury(arrived.generation, arrived.message, outcome.cause)
        else:
            self._done(arrived.generation, arrived.message)

    def close(self) -> None:
        """Acknowledge what is done and hang up; the rest goes to others."""
        with suppress(*BROKEN):
            if self._connection is not None:
                self._flush()
        self._hang_up()

    def _judged(self, message: Any) -> Arrived:
        properties = {
            "content_type": message.content_type,
            "content_encoding": message.content_encoding,
            "reply_to": message.properties.get("reply_to"),
        }
        label = label_of(properties, message.headers or {}, message.body)
        route = f"{label.service}.{label.operation}"
        if message.delivery_info.get("routing_key") != route:
            raise Refusal("route")
        asked = self._desk.judge(
            label,
            bytes(message.body),
            redelivered=bool(message.delivery_info.get("redelivered")),
        )
        return Arrived(asked=asked, message=message, generation=self._generation)

    def _bury(self, generation: int, message: Any, cause: str) -> None:
        """Bury now, or keep it unsettled and try again: nothing is ever dropped."""
        queue = queue_of(self._service)
        try:
            with self._lines.line() as line:
                bury(line, message, queue, cause)
        except (Unreachable, *BROKEN):
            _log.critical("%s: dead letters cannot be kept; %s waits", queue, cause)
            with self._lock:
                self._graves.append((generation, message, cause))
            return
        _log.warning("%s: dead letter, %s", queue, cause)
        self._done(generation, message)

    def _done(self, generation: int, message: Any) -> None:
        with self._lock:
            self._settled.append((generation, message))

    def _flush(self) -> None:
        """Acknowledge what is settled; bury what could not be buried before."""
        with self._lock:
            settled, self._settled = self._settled, deque()
            graves, self._graves = self._graves, deque()
        for generation, message in settled:
            if generation == self._generation:
                message.ack()
        for generation, message, cause in graves:
            if generation == self._generation:
                self._bury(generation, message, cause)

    def _connect(self) -> None:
        self._connection = self._broker.connect()
        self._generation += 1
        queue = Queue(queue_of(self._service), no_declare=True)
        with bounded(self._connection):
            channel = self._connection.channel()
            channel.basic_qos(0, self._ahead, a_global=False)
            consumer = Consumer(
                channel, [queue], auto_declare=False, on_message=self._raw.append
            )
            consumer.consume()

    def _hang_up(self) -> None:
        if self._connection is not None:
            with suppress(*BROKEN):
                self._connection.close()
        self._connection = None
        self._raw.clear()
