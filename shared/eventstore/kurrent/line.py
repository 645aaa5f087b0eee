"""The connection to the leader: found, lost, and found again, in bounded time.

The client's own reconnecting is not used: it waits without a limit for a node that
accepts and never answers, and wants the credentials in the URI. A call is repeated with
the same ids, so repeating is safe.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

import grpc  # type: ignore[import-untyped]  # ships no types
from kurrentdbclient.common import BasicAuthCallCredentials, handle_rpc_error
from kurrentdbclient.connection import KurrentDBConnection
from kurrentdbclient.exceptions import (
    AccessDeniedError,
    BadRequestError,
    DiscoveryFailedError,
    InvalidArgumentError,
    InvalidCommitPositionError,
    InvalidTransactionError,
    KurrentDBClientError,
    MaximumAppendSizeExceededError,
    NotFoundError,
    StreamIsDeletedError,
    StreamTombstonedError,
    UnauthenticatedError,
    WrongCurrentVersionError,
)
from kurrentdbclient.protos.v1 import gossip_pb2, gossip_pb2_grpc, shared_pb2
from kurrentdbclient.streams import StreamsService

from shared.eventstore.kurrent.cluster import Cluster
from shared.eventstore.port import StoreUnavailable
from shared.settings import SettingsError

T = TypeVar("T")
GOSSIP: Final = 1.0  # s to wait for one node's word on who leads
METADATA: Final = (("connection-name", "letterlock"),)
OPTIONS: Final = (
    ("grpc.max_receive_message_length", 17 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.use_local_subchannel_pool", 1),  # a new connection is one
    ("grpc.enable_retries", 0),  # done here, where it is counted
)
_REFUSED: Final = (AccessDeniedError, UnauthenticatedError)
_FINAL: Final = (
    BadRequestError,
    InvalidArgumentError,
    InvalidCommitPositionError,
    InvalidTransactionError,
    MaximumAppendSizeExceededError,
    NotFoundError,
    StreamIsDeletedError,
    StreamTombstonedError,
    WrongCurrentVersionError,
)  # answers, not failures
_FIRST_PAUSE: Final = 0.02  # s
_LAST_PAUSE: Final = 0.5  # s
_DETAIL: Final = 200  # characters of the cause that are shown


class Line:
    """One connection that threads share; made when first needed."""

    def __init__(self, cluster: Cluster, patience: float) -> None:
        """Connect to `cluster`, later; a call takes at most `patience` s."""
        self._cluster = cluster
        self._patience = patience
        self._lock = threading.Lock()
        self._connection: KurrentDBConnection | None = None
        self._closed = False

    def call(self, work: Callable[[StreamsService, float], T]) -> T:
        """Return `work(streams, seconds left)`, repeated while the connection fails.

        Raises:
            StoreUnavailable: refused, or no success in time. A write may have happened.
            KurrentDBClientError: an answer that repeating would not change.
        """
        until = time.monotonic() + self._patience
        pause = _FIRST_PAUSE
        while True:
            connection = None
            try:
                connection = self._connected(until)
                return work(connection.streams, until - time.monotonic())
            except _FINAL:
                raise
            except _REFUSED as error:
                message = f"the event store refused us: {type(error).__name__}"
                raise StoreUnavailable(message) from None
            except (KurrentDBClientError, ValueError) as error:
                if isinstance(error, ValueError) and "closed" not in str(error):
                    raise  # only "channel closed" is the connection's own
                self._drop(connection)
                left = until - time.monotonic()
                if left <= pause:
                    raise self._given_up(error) from None
            time.sleep(pause)
            pause = min(pause * 2, _LAST_PAUSE)

    def close(self) -> None:
        """Hang up for good; calls under way fail."""
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _connected(self, until: float) -> KurrentDBConnection:
        if not self._lock.acquire(timeout=max(0.0, until - time.monotonic())):
            raise DiscoveryFailedError("somebody else is still looking for the leader")
        try:
            if self._closed:
                raise StoreUnavailable("the journal is closed")
            if self._connection is None:
                self._connection = self._find(until)
            return self._connection
        finally:
            self._lock.release()

    def _drop(self, connection: KurrentDBConnection | None) -> None:
        """Forget a connection that failed, unless somebody did so already."""
        if connection is None:
            return
        with self._lock:
            if self._connection is not connection:
                return
            self._connection = None
        connection.close()

    def _find(self, until: float) -> KurrentDBConnection:
        if not self._cluster.gossip:
            return self._open(self._cluster.targets[0])
        for target in self._cluster.targets:
            left = until - time.monotonic()
            if left <= 0:
                break
            leader = self._leader_by(target, min(left, GOSSIP))
            if leader:
                return self._open(leader)
        raise DiscoveryFailedError("no node names a leader")

    def _leader_by(self, target: str, timeout: float) -> str | None:
        with self._channel(target) as channel:
            stub = gossip_pb2_grpc.GossipStub(channel)  # type: ignore[no-untyped-call]  # generated
            try:
                cluster = stub.Read(shared_pb2.Empty(), timeout=timeout)
            except grpc.RpcError as error:
                known = handle_rpc_error(error)
                if isinstance(known, _REFUSED):
                    raise known from None
                return None
        for member in cluster.members:
            if member.is_alive and member.state == gossip_pb2.MemberInfo.Leader:
                return f"{member.http_end_point.address}:{member.http_end_point.port}"
        return None

    def _open(self, target: str) -> KurrentDBConnection:
        return KurrentDBConnection(self._channel(target), target, self._cluster.spec)

    def _channel(self, target: str) -> grpc.Channel:
        try:
            self._cluster.refuse_exposed(target)
        except SettingsError as error:  # the gossip named another machine
            raise StoreUnavailable(str(error)) from None
        if not self._cluster.tls:
            return grpc.insecure_channel(target, options=OPTIONS)
        credentials = grpc.ssl_channel_credentials(root_certificates=self._cluster.ca)
        if self._cluster.credentials:
            basic = BasicAuthCallCredentials(*self._cluster.credentials)
            credentials = grpc.composite_channel_credentials(
                credentials, grpc.metadata_call_credentials(basic)
            )
        return grpc.secure_channel(target, credentials, options=OPTIONS)

    def _given_up(self, error: Exception) -> StoreUnavailable:
        where = ", ".join(self._cluster.targets)
        message = f"no answer from {where} in {self._patience:g} s: "
        return StoreUnavailable(
            f"{message}{type(error).__name__} {str(error)[:_DETAIL]}".rstrip()
        )
