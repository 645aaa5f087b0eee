"""Wake-up hints between processes: a topic exchange, nothing kept, nothing promised.

A hint carries no position and is believed in one thing only: it is worth a look at the
store. A lost one costs a second, as whoever waits looks by itself as well.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from shared.messaging.names import HINTS, MOVED, own_queue
from shared.messaging.rabbit.broker import (
    BROKEN,
    Broker,
    Consumer,
    Exchange,
    Producer,
    Queue,
)

_log = logging.getLogger(__name__)
PAUSE: Final = 1.0  # s before the broker is tried again
LOOK: Final = 0.5  # s between looks whether to stop


class RabbitHints:
    """Tells other processes, and is told by them. Threads start when first needed."""

    def __init__(self, broker: Broker) -> None:
        """Connect to `broker` when first used."""
        self._broker = broker
        self._moved = threading.Condition()
        self._stirs = 0
        self._seen = threading.local()
        self._news = threading.Event()
        self._stop = threading.Event()
        self._threads: dict[str, threading.Thread] = {}

    def notify(self, position: int) -> None:
        """As `Hints.notify`; hints in a row are told as one."""
        del position
        self._stir()
        self._start("tell", self._tell)
        self._news.set()

    def wait(self, after: int, timeout: float) -> bool:
        """As `Hints.wait`: True once anything moved since this thread last waited."""
        del after
        self._start("listen", self._listen)
        seen = getattr(self._seen, "stirs", 0)
        with self._moved:
            stirred = self._moved.wait_for(lambda: self._stirs > seen, timeout)
            self._seen.stirs = self._stirs
        return stirred

    def close(self) -> None:
        """End the threads; waits for them."""
        self._stop.set()
        self._news.set()
        for thread in self._threads.values():
            thread.join(2 * PAUSE)

    def _stir(self) -> None:
        with self._moved:
            self._stirs += 1
            self._moved.notify_all()

    def _start(self, name: str, work: Any) -> None:
        if name not in self._threads:
            with self._moved:
                if name in self._threads:
                    return
                thread = threading.Thread(
                    target=self._again, args=(work,), name=f"hints-{name}", daemon=True
                )
                self._threads[name] = thread
            thread.start()

    def _again(self, work: Any) -> None:
        while not self._stop.is_set():
            connection = None
            try:
                connection = self._broker.connect()
                work(connection)
            except Exception as error:  # noqa: BLE001  # a hint is never worth a thread
                _log.info("hints rest: %s", type(error).__name__)
                self._stop.wait(PAUSE)
            finally:
                if connection is not None:
                    with suppress(*BROKEN):
                        connection.close()

    def _tell(self, connection: Any) -> None:
        producer = Producer(connection.channel())
        while not self._stop.is_set():
            if self._news.wait(LOOK):
                self._news.clear()
                producer.publish(
                    b"",
                    exchange=HINTS,
                    routing_key=MOVED,
                    content_type="application/octet-stream",
                    content_encoding="binary",
                    delivery_mode=1,
                )

    def _listen(self, connection: Any) -> None:
        queue = Queue(
            own_queue("hints", self._broker.user, uuid4().hex),
            Exchange(HINTS, type="topic", no_declare=True),
            routing_key=MOVED,
            exclusive=True,
            auto_delete=True,
            durable=False,
            max_length=1,
        )
        consumer = Consumer(
            connection.channel(),
            [queue],
            no_ack=True,
            on_message=lambda _: self._stir(),
        )
        consumer.consume()
        self._stir()  # what moved before we listened
        while not self._stop.is_set():
            with suppress(TimeoutError):
                connection.drain_events(timeout=LOOK)
            time.sleep(0)
