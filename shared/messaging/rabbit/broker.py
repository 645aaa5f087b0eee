"""Where the broker is, who we are to it, and a connection that tells the truth."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import kombu.connection
import kombu.entity
import kombu.exceptions
import kombu.messaging
import kombu.transport.pyamqp  # so that nothing of it is imported later, elsewhere
from amqp.exceptions import AccessRefused, AMQPError, MessageNacked, NotAllowed

from shared.messaging.rabbit.frames import tolerant

CONNECT: Final = 5.0  # s
__all__ = [
    "BROKEN",
    "Broker",
    "Connection",
    "Consumer",
    "Exchange",
    "MessageNacked",
    "Producer",
    "Queue",
    "QueueState",
    "RefusesUs",
    "bounded",
    "looked_at",
    "readers",
    "why",
]
# kombu ships hardly any types: the few names used, taken here once.
Connection: Any = kombu.connection.Connection
Consumer: Any = kombu.messaging.Consumer
Exchange: Any = kombu.entity.Exchange
Producer: Any = kombu.messaging.Producer
Queue: Any = kombu.entity.Queue
BROKEN: Final = (
    AMQPError,
    MessageNacked,
    kombu.exceptions.KombuError,
    OSError,  # its TimeoutError, too
)
"""All that a connection may raise when the broker, or the way to it, fails."""


class RefusesUs(PermissionError):
    """The broker is there, and our account or its password does not count there."""


def why(error: BaseException) -> str:
    """Return what a person may be told of an error that is one of `BROKEN`."""
    return str(error) if isinstance(error, RefusesUs) else type(error).__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """One user's way to one broker."""

    host: str
    port: int
    vhost: str
    user: str
    password: str = field(repr=False)
    ca: Path | None = None  # PEM; with it, TLS, and the certificate is checked

    def connect(self) -> Any:
        """Return an open connection on which every publish waits for its confirm.

        Raises:
            RefusesUs: our account or password is wrong; one of BROKEN.
            BROKEN: it cannot be made.
        """
        connection: Any = Connection(
            hostname=self.host,
            port=self.port,
            virtual_host=self.vhost,
            userid=self.user,
            password=self.password,
            ssl=self._tls(),
            login_method="PLAIN",
            connect_timeout=CONNECT,
            transport="pyamqp",
            transport_options={
                "confirm_publish": True,
                "max_retries": 1,
                "frame_handler": tolerant,  # amqp's own breaks at what strangers write
            },
        )
        try:
            connection.ensure_connection(max_retries=1, timeout=CONNECT)
        except AccessRefused:
            message = f"check its password file, keys/broker/{self.user}"
            raise RefusesUs(f"it refuses account {self.user}: {message}") from None
        except NotAllowed as error:
            if "limit" in str(error):
                message = f"account {self.user} has as many connections as it may"
                raise RefusesUs(message) from None
            message = f"it has no {self.vhost} for account {self.user}: load"
            raise RefusesUs(f"{message} what broker-setup writes") from None
        return connection

    def _tls(self) -> dict[str, object] | bool:
        if self.ca is None:
            return False
        return {
            "ca_certs": str(self.ca),
            "cert_reqs": ssl.CERT_REQUIRED,
            "server_hostname": self.host,
            "tls_minimum_version": ssl.TLSVersion.TLSv1_2,
        }


@contextmanager
def bounded(connection: Any) -> Iterator[None]:
    """Let no single answer of the broker take longer than 5 s inside.

    Raises:
        BROKEN: it took longer.
    """
    with connection.connection.transport.having_timeout(CONNECT):
        yield


def readers(broker: Broker, queues: Sequence[str]) -> list[int]:
    """Return how many processes read each queue; zeros if the broker is away."""
    return [seen.readers for seen in looked_at(broker, queues)]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """What the broker says of one queue."""

    waiting: int  # messages nobody has in hand
    readers: int


def looked_at(broker: Broker, queues: Sequence[str]) -> list[QueueState]:
    """Return the state of each queue, all zeros if the broker is away."""
    try:
        connection = broker.connect()
        try:
            channel = connection.channel()
            told = [channel.queue_declare(name, passive=True) for name in queues]
        finally:
            connection.close()
    except BROKEN:
        return [QueueState(waiting=0, readers=0) for _ in queues]
    return [QueueState(waiting=waiting, readers=n) for _, waiting, n in told]
