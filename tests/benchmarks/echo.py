"""The bare peers of a call: a queue, an answer, and nothing around them.

`python -m tests.benchmarks.echo plain|safe|nameko` answers questions with as many bytes
as they ask for, until it is terminated. The broker's address comes by standard input.
"""

from __future__ import annotations

import secrets
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from subprocess import PIPE, Popen
from typing import Any, Final, Protocol

from shared.messaging.rabbit.broker import Connection, Consumer, Producer, Queue

KINDS: Final = ("plain", "safe", "nameko")
WORKERS: Final = 10  # of nameko, as many as ours has
PATIENCE: Final = 10.0  # s for an answer
AHEAD: Final = 20  # unsettled messages, as ours


class Peer(Protocol):
    """Asks for an answer of so many bytes. For one thread."""

    def ask(self, body: bytes, answer: int) -> bytes:
        """Send `body`, return the answer. Raises TimeoutError."""
        ...


class Plain:
    """Publish to a queue and wait for the answer.

    `safe` as ours is: through a replicated queue, publishing confirmed and mandatory,
    acknowledged once it is answered. Otherwise as bare as the broker allows.
    """

    def __init__(self, address: str, *, safe: bool) -> None:
        """Connect; the other side must be there."""
        self._safe = safe
        self._connection = _connected(address, safe=safe)
        channel = self._connection.channel()
        self._producer = Producer(channel)
        self._own = f"bench.reply.{secrets.token_hex(8)}"
        self._answers: list[Any] = []
        own = Queue(self._own, exclusive=True, auto_delete=True, durable=False)
        Consumer(channel, [own], no_ack=True, on_message=self._answers.append).consume()

    def ask(self, body: bytes, answer: int) -> bytes:
        """As `Peer.ask`."""
        self._answers.clear()
        self._producer.publish(
            body,
            routing_key=_queue(safe=self._safe).name,
            content_type="application/octet-stream",
            content_encoding="binary",
            headers={"answer": answer},
            reply_to=self._own,
            mandatory=self._safe,
            delivery_mode=1,
        )
        while not self._answers:
            self._connection.drain_events(timeout=PATIENCE)
        return bytes(self._answers[0].body)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class ByNameko:
    """nameko's own calls, as its manual has them: JSON, confirmed, not sealed."""

    def __init__(self, address: str) -> None:
        """Connect; the other side must be there."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # eventlet says that it is old
            from nameko.standalone.rpc import ClusterRpcProxy  # noqa: PLC0415

        self._cluster: Any = ClusterRpcProxy({"AMQP_URI": address}, timeout=PATIENCE)
        self._proxy: Any = self._cluster.start()

    def ask(self, body: bytes, answer: int) -> bytes:
        """As `Peer.ask`."""
        return str(self._proxy.echo.give(body.decode("ascii"), answer)).encode()

    def close(self) -> None:
        """Hang up."""
        self._cluster.stop()


@contextmanager
def answering(address: str, kind: str) -> Iterator[Callable[[], Peer]]:
    """Run the other side; yield what makes a line to it. All are closed at the end."""
    words = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.echo", kind]
    process = Popen(words, stdin=PIPE, stdout=PIPE, text=True, start_new_session=True)
    lines = ExitStack()
    try:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the pipes asked for are not there")
        process.stdin.write(address + "\n")
        process.stdin.close()
        if not process.stdout.readline():
            message = f"the peer {kind} did not start"
            raise RuntimeError(message)

        def line() -> Peer:
            peer = (
                ByNameko(address)
                if kind == "nameko"
                else Plain(address, safe=kind == "safe")
            )
            lines.callback(peer.close)
            return peer

        with lines:
            yield line
    finally:
        process.terminate()
        with process:
            process.wait()


def _queue(*, safe: bool) -> Any:
    if safe:
        return Queue("bench.safe", queue_arguments={"x-queue-type": "quorum"})
    return Queue("bench.plain", durable=False)


def _connected(address: str, *, safe: bool) -> Any:
    connection = Connection(address, transport_options={"confirm_publish": safe})
    connection.connect()
    return connection


def answer_bare(address: str, *, safe: bool) -> None:
    """Answer what comes, until terminated."""
    connection = _connected(address, safe=safe)
    channel = connection.channel()
    channel.basic_qos(0, AHEAD, a_global=False)
    producer = Producer(channel)

    def answer(message: Any) -> None:
        producer.publish(
            bytes(message.headers["answer"]),
            routing_key=message.properties["reply_to"],
            content_type="application/octet-stream",
            content_encoding="binary",
            mandatory=safe,
            delivery_mode=1,
        )
        if safe:
            message.ack()

    waiting: list[Any] = []
    queue = _queue(safe=safe)
    Consumer(channel, [queue], no_ack=not safe, on_message=waiting.append).consume()
    _ready()
    while True:
        connection.drain_events()
        while waiting:
            answer(waiting.pop(0))


def answer_by_nameko(address: str) -> None:
    """Answer what comes by a service of nameko, until terminated."""
    import eventlet  # noqa: PLC0415  # patches first

    eventlet.monkey_patch()
    from nameko.containers import ServiceContainer  # noqa: PLC0415
    from nameko.rpc import rpc  # noqa: PLC0415

    class Echo:
        name = "echo"

        @rpc  # type: ignore[untyped-decorator]  # nameko is untyped
        def give(self, body: str, answer: int) -> str:
            del body
            return "x" * answer

    container = ServiceContainer(Echo, {"AMQP_URI": address, "max_workers": WORKERS})
    container.start()
    _ready()
    container.wait()


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main(kind: str, address: str) -> None:
    """Answer as one of `KINDS`."""
    if kind == "nameko":
        answer_by_nameko(address)
    else:
        answer_bare(address, safe=kind == "safe")


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.readline().strip())
