"""A stand-in for a node of KurrentDB: a real gRPC server, protocol v1, in memory.

Only what the client asks of it: append, batch append, reads, subscriptions, gossip. It
can be slow, lose answers, break off, follow instead of lead, want TLS and credentials.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NoReturn

import grpc
from kurrentdbclient.protos.v1 import (
    gossip_pb2,
    gossip_pb2_grpc,
    shared_pb2,
    streams_pb2,
    streams_pb2_grpc,
)

from tests.kurrent import messages
from tests.kurrent.log import MAX_APPEND, Entry, Log, Mismatch, Tombstoned, TooLarge

TICK = 0.2  # s between looks whether a subscriber is still there


@dataclass(slots=True)
class Faults:
    """What goes wrong; set by a test at any time."""

    delay: float = 0.0  # s before each answer
    lost_answers: int = 0  # appends that are written and never answered
    refused_appends: int = 0  # appends that are neither written nor taken
    broken_reads: int = 0  # reads that end in an error after `break_after` answers
    break_after: int = 3
    deaf: bool = False  # subscriptions are confirmed and then silent
    untold: bool = False  # a batch's position is left out, as old servers do of repeats


@dataclass(slots=True)
class Cluster:
    """What the nodes of a cluster share."""

    log: Log = field(default_factory=Log)
    nodes: list[StandIn] = field(default_factory=list)
    leader: int = 0
    host: str = "localhost"  # as the nodes name themselves
    dead: list[int] = field(default_factory=list)  # ports of nodes that are gone


class StandIn:
    """One node on a free port of this machine; speaks as soon as it is made."""

    def __init__(
        self,
        cluster: Cluster | None = None,
        *,
        host: str = "",
        at: str = "localhost",
        port: int = 0,
        certificate: tuple[bytes, bytes] | None = None,
        login: str = "",
    ) -> None:
        """Serve `cluster`; with a key and certificate (PEM) over TLS only.

        `at` is the address listened on; `host` is the name the node gives itself,
        unless the cluster names all of them.
        """
        self.faults = Faults()
        self.calls = 0
        self.subscriptions: list[int | None] = []  # begun after; None: at the end
        self.cluster = cluster or Cluster()
        self.host = host or self.cluster.host
        self.stopping = threading.Event()
        self._login = f"Basic {b64encode(login.encode()).decode()}" if login else ""
        self._server = grpc.server(
            ThreadPoolExecutor(48, thread_name_prefix="stand-in"),
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000),
            ],
        )
        streams_pb2_grpc.add_StreamsServicer_to_server(_Streams(self), self._server)
        gossip_pb2_grpc.add_GossipServicer_to_server(_Gossip(self), self._server)
        address = f"{at}:{port}"
        if certificate:
            proof = grpc.ssl_server_credentials([certificate])
            self.port = self._server.add_secure_port(address, proof)
        else:
            self.port = self._server.add_insecure_port(address)
        self.cluster.nodes.append(self)
        self._server.start()

    @property
    def log(self) -> Log:
        """Return what is stored."""
        return self.cluster.log

    @property
    def leads(self) -> bool:
        """Tell whether this node is the leader."""
        return self.cluster.nodes.index(self) == self.cluster.leader

    def stop(self) -> None:
        """Stop at once, breaking off what is under way."""
        self.stopping.set()
        self._server.stop(None).wait(5)

    def admit(self, context: grpc.ServicerContext) -> None:
        """Count and delay a call; refuse it without the right credentials."""
        self.calls += 1
        headers = dict(context.invocation_metadata())
        if self._login and headers.get("authorization") != self._login:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "")
        self.stopping.wait(self.faults.delay)
        if headers.get("requires-leader") == "true" and not self.leads:
            leader = self.cluster.nodes[self.cluster.leader]
            context.set_trailing_metadata(
                (
                    ("exception", "not-leader"),
                    ("leader-endpoint-host", leader.host),
                    ("leader-endpoint-port", str(leader.port)),
                )
            )
            context.abort(grpc.StatusCode.NOT_FOUND, "Leader info available")


def _fail(context: grpc.ServicerContext) -> NoReturn:
    context.abort(grpc.StatusCode.UNAVAILABLE, "broken off")
    raise AssertionError  # abort raises


class _Gossip(gossip_pb2_grpc.GossipServicer):
    def __init__(self, node: StandIn) -> None:
        self._node = node

    def Read(  # noqa: N802  # the protocol's name
        self, _: shared_pb2.Empty, context: grpc.ServicerContext
    ) -> gossip_pb2.ClusterInfo:
        self._node.calls += 1
        self._node.stopping.wait(self._node.faults.delay)
        if not context.is_active():
            context.abort(grpc.StatusCode.CANCELLED, "")
        state = gossip_pb2.MemberInfo
        dead = [
            gossip_pb2.MemberInfo(
                state=state.Leader,
                is_alive=False,
                http_end_point=gossip_pb2.EndPoint(address="localhost", port=port),
            )
            for port in self._node.cluster.dead
        ]
        living = [
            gossip_pb2.MemberInfo(
                state=state.Leader if node.leads else state.Follower,
                is_alive=True,
                http_end_point=gossip_pb2.EndPoint(address=node.host, port=node.port),
            )
            for node in self._node.cluster.nodes
        ]
        return gossip_pb2.ClusterInfo(members=dead + living)


class _Streams(streams_pb2_grpc.StreamsServicer):
    def __init__(self, node: StandIn) -> None:
        self._node = node
        self._numbers = count(1)

    def Append(  # noqa: N802  # the protocol's name
        self, requests: Iterator[streams_pb2.AppendReq], context: grpc.ServicerContext
    ) -> streams_pb2.AppendResp:
        self._node.admit(context)
        options = next(requests).options
        offered = [messages.proposal(each.proposed_message) for each in requests]
        expected = messages.expectation(options, "expected_stream_revision", "revision")
        try:
            entry = self._node.log.append(messages.name_of(options), expected, offered)
        except Mismatch as wrong:
            return messages.mismatch(wrong.current)
        return messages.appended(entry)

    def BatchAppend(  # noqa: N802  # the protocol's name
        self,
        requests: Iterator[streams_pb2.BatchAppendReq],
        context: grpc.ServicerContext,
    ) -> Iterator[streams_pb2.BatchAppendResp]:
        self._node.admit(context)
        faults = self._node.faults
        with suppress(grpc.RpcError):  # the client hangs up after its answer
            for request in requests:
                if not request.is_final:
                    context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
                if faults.refused_appends:
                    faults.refused_appends -= 1
                    _fail(context)
                answer = self._batch(request)
                if faults.lost_answers:
                    faults.lost_answers -= 1
                    _fail(context)
                yield answer

    def _batch(
        self, request: streams_pb2.BatchAppendReq
    ) -> streams_pb2.BatchAppendResp:
        options = request.options
        expected = messages.expectation(
            options, "expected_stream_position", "stream_position"
        )
        offered = [messages.proposal(each) for each in request.proposed_messages]
        try:
            entry = self._node.log.append(messages.name_of(options), expected, offered)
        except Mismatch as wrong:
            reason: Any = messages.wrong_version(wrong.current)
            return messages.batch_refused(request, reason, "WrongExpectedVersion")
        except Tombstoned:
            reason = shared_pb2.StreamDeleted(
                stream_identifier=options.stream_identifier
            )
            return messages.batch_refused(request, reason, "StreamDeleted")
        except TooLarge:
            reason = shared_pb2.MaximumAppendSizeExceeded(maxAppendSize=MAX_APPEND)
            return messages.batch_refused(request, reason, "MaxAppendSizeExceeded")
        told = not self._node.faults.untold
        return messages.batch_appended(request, entry, told=told)

    def Read(  # noqa: N802  # the protocol's name
        self, request: streams_pb2.ReadReq, context: grpc.ServicerContext
    ) -> Iterator[streams_pb2.ReadResp]:
        self._node.admit(context)
        faults = self._node.faults
        breaks = faults.broken_reads > 0
        faults.broken_reads -= breaks
        for number, answer in enumerate(self._answers(request.options, context)):
            if breaks and number == faults.break_after:
                _fail(context)
            yield answer

    def _answers(
        self, options: streams_pb2.ReadReq.Options, context: grpc.ServicerContext
    ) -> Iterator[streams_pb2.ReadResp]:
        of_all = options.WhichOneof("stream_option") == "all"
        if options.WhichOneof("count_option") == "subscription":
            return self._subscription(options, context)
        if of_all:
            return self._all(options, context)
        return self._stream(options, context)

    def _stream(
        self, options: streams_pb2.ReadReq.Options, context: grpc.ServicerContext
    ) -> Iterator[streams_pb2.ReadResp]:
        name = messages.name_of(options.stream)
        if name in self._node.log.tombstones:
            context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"Event stream '{name}' is deleted.",
            )
        entries = self._node.log.stream(name)
        if not entries:
            yield messages.not_found(name)
            return
        start = options.stream.WhichOneof("revision_option")
        if options.read_direction == options.Backwards:
            last = options.stream.revision if start == "revision" else len(entries) - 1
            entries = entries[last::-1]
        elif start == "revision":
            entries = entries[options.stream.revision :]
        yield from map(messages.event, entries[: options.count])

    def _all(
        self, options: streams_pb2.ReadReq.Options, context: grpc.ServicerContext
    ) -> Iterator[streams_pb2.ReadResp]:
        log = self._node.log
        start = options.all.WhichOneof("all_option")
        position = options.all.position.commit_position
        if options.read_direction == options.Backwards:
            entries = log.later(-1)[::-1]
            if start == "position":
                entries = [entry for entry in entries if entry.position < position]
        elif start == "position":
            found = log.since(position)
            if found is None:
                context.abort(
                    grpc.StatusCode.UNKNOWN,
                    "Unexpected FilteredReadAllResult: InvalidPosition",
                )
            entries = found or []
        else:
            entries = log.later(-1) if start == "start" else []
        chosen = filter(messages.wanted(options), entries)
        yield from map(messages.event, messages.first(chosen, options.count))

    def _subscription(
        self, options: streams_pb2.ReadReq.Options, context: grpc.ServicerContext
    ) -> Iterator[streams_pb2.ReadResp]:
        log, position = self._node.log, self._start(options)
        wanted = self._wanted(options)
        given = options.all.WhichOneof("all_option") == "position"
        self._node.subscriptions.append(position if given else None)
        interval = options.filter.max * options.filter.checkpointIntervalMultiplier
        yield streams_pb2.ReadResp(
            confirmation=streams_pb2.ReadResp.SubscriptionConfirmation(
                subscription_id=f"stand-in-{next(self._numbers)}"
            )
        )
        considered, caught_up = 0, False
        while context.is_active() and not self._node.stopping.is_set():
            entries = [] if self._node.faults.deaf else log.later(position)
            for entry in entries:
                position = entry.position
                considered += 1
                if wanted(entry):
                    yield messages.event(entry)
                elif interval and considered % interval == 0:
                    yield messages.checkpoint(position)
            if not entries and not caught_up:
                caught_up = True
                yield streams_pb2.ReadResp(caught_up=streams_pb2.ReadResp.CaughtUp())
            with log.grown:
                if log.end() == position or self._node.faults.deaf:
                    log.grown.wait(TICK)

    def _start(self, options: streams_pb2.ReadReq.Options) -> int:
        """Return the position after which a subscriber wants to hear."""
        log = self._node.log
        if options.WhichOneof("stream_option") == "all":
            start = options.all.WhichOneof("all_option")
            if start == "position":
                return options.all.position.commit_position
            return log.end() if start == "end" else -1
        start = options.stream.WhichOneof("revision_option")
        entries = log.stream(messages.name_of(options.stream))
        if start == "revision":
            return entries[options.stream.revision].position
        return log.end() if start == "end" else -1

    def _wanted(self, options: streams_pb2.ReadReq.Options) -> Any:
        if options.WhichOneof("stream_option") == "all":
            return messages.wanted(options)
        name = messages.name_of(options.stream)

        def of_stream(entry: Entry) -> bool:
            return entry.stream == name

        return of_stream
