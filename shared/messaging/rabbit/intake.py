"""The queue of one service, read: poison is buried, the rest handed on, all settled.

One thread at a time calls `next`; any thread may call `settle`. What is acknowledged
was answered, buried or counted before; what is neither comes again. Nothing that comes
in can end the reading: what nobody foresaw in a message is its fault alone.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from shared.messaging.desk import Asked, Desk
from shared.messaging.label import Refusal, label_of
from shared.messaging.names import REPLY, queue_of
from shared.messaging.rabbit.broker import Broker, Consumer, Queue, bounded, why
from shared.messaging.rabbit.digger import Digger
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
        self._settled: deque[tuple[int, Callable[[], None]]] = deque()
        self._lock = threading.Lock()
        self._digger = Digger(
            lines, queue_of(service), self._done, room=max(1, ahead // 2)
        )

    def next(self, timeout: float) -> Sequence[Arrived]:
        """Return what came within `timeout` s, judged. Never raises."""
        try:
            if self._connection is None:
                self._connect()
            self._flush()
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=timeout)
            self._flush()
        except Exception as error:  # noqa: BLE001  # what is not settled comes again
            _log.warning("the queue is away: %s", why(error))
            self._hang_up()
            time.sleep(random.uniform(0.1, PAUSE))  # noqa: S311  # nosec B311  # jitter, no secret
            return ()
        arrived = []
        while self._raw:
            message = self._raw.popleft()
            try:
                arrived.append(self._judged(message))
            except Refusal as refusal:
                self._bury(message, refusal.cause)
            except Exception as error:  # noqa: BLE001  # the next one is judged
                self._bury(message, f"failed:{type(error).__name__}")
        self._acknowledge()
        self._digger.look()
        return arrived

    def _acknowledge(self) -> None:
        """Settle at once what was buried; trouble shows at the next look."""
        with suppress(Exception):
            self._flush()

    def settle(
        self, arrived: Arrived, result: object, error: BaseException | None
    ) -> None:
        """Answer a message, bury it if it failed, and acknowledge it. Never raises."""
        refused = isinstance(error, Refusal)
        try:
            outcome = self._desk.outcome(arrived.asked, result, error)
            label, body = self._desk.reply(arrived.asked, outcome)
        except Exception as failure:  # noqa: BLE001  # no answer can be made of it
            self._digger.bury(
                arrived.message,
                f"failed:{type(failure).__name__}",
                generation=arrived.generation,
                refused=refused,
            )
            return
        for _ in range(TRIES):
            try:
                with self._lines.line() as line:
                    line.publish(REPLY, label.reply_to, label, body)
                break
            except NobodyThere:
                break  # the caller no longer waits; what was done is done
            except Exception as failure:  # noqa: BLE001  # another line may do
                _log.warning("an answer was not taken: %s", type(failure).__name__)
        else:
            self._settle(arrived.generation, arrived.message.requeue)
            return  # it comes again, and gives the same answer
        if outcome.cause:
            self._digger.bury(
                arrived.message,
                outcome.cause,
                generation=arrived.generation,
                refused=refused,
            )
        else:
            self._done(arrived.generation, arrived.message)

    def close(self) -> None:
        """Acknowledge what is done and hang up; the rest goes to others."""
        with suppress(Exception):
            if self._connection is not None:
                self._flush()
        self._hang_up()
        self._digger.look(last=True)

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

    def _bury(self, message: Any, cause: str) -> None:
        """Bury what was refused at the door."""
        self._digger.bury(message, cause, generation=self._generation, refused=True)

    def _done(self, generation: int, message: Any) -> None:
        self._settle(generation, message.ack)

    def _settle(self, generation: int, how: Callable[[], None]) -> None:
        with self._lock:
            self._settled.append((generation, how))

    def _flush(self) -> None:
        """Tell the broker what is settled; bury what could not be buried before."""
        with self._lock:
            settled, self._settled = self._settled, deque()
        for generation, how in settled:
            if generation == self._generation:
                how()
        self._digger.again(self._generation)

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
            with suppress(Exception):
                self._connection.close()
        self._connection = None
        self._raw.clear()
