"""Entries and verdicts as messages of the protocol."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf import any_pb2, empty_pb2
from kurrentdbclient.protos.v1 import shared_pb2, status_pb2, streams_pb2

from tests.kurrent.log import ANY, EXISTS, NO_STREAM, Entry, Proposal

EXPECTATIONS = {"no_stream": NO_STREAM, "any": ANY, "stream_exists": EXISTS}


def name_of(options: Any) -> str:
    """Return the stream a request is about."""
    name: bytes = options.stream_identifier.stream_name
    return name.decode()


def expectation(options: Any, oneof: str, field: str) -> int:
    """Return the version a write expects, or one of the symbols."""
    chosen = options.WhichOneof(oneof)
    return getattr(options, field) if chosen == field else EXPECTATIONS[chosen]


def proposal(message: Any) -> Proposal:
    """Return an event as it was sent."""
    return Proposal(
        id=message.id.string,
        type=message.metadata["type"],
        content_type=message.metadata["content-type"],
        data=message.data,
        metadata=message.custom_metadata,
    )


def event(entry: Entry) -> streams_pb2.ReadResp:
    """Return an entry as a reader gets it."""
    recorded = streams_pb2.ReadResp.ReadEvent.RecordedEvent(
        id=shared_pb2.UUID(string=entry.id),
        stream_identifier=shared_pb2.StreamIdentifier(
            stream_name=entry.stream.encode()
        ),
        stream_revision=entry.revision,
        prepare_position=entry.position,
        commit_position=entry.position,
        metadata={
            "type": entry.type,
            "content-type": entry.content_type,
            "created": "17724528000000000",
        },
        custom_metadata=entry.metadata,
        data=entry.data,
    )
    return streams_pb2.ReadResp(
        event=streams_pb2.ReadResp.ReadEvent(
            event=recorded, commit_position=entry.position
        )
    )


def checkpoint(position: int) -> streams_pb2.ReadResp:
    """Return the word that nothing wanted lies up to `position`."""
    return streams_pb2.ReadResp(
        checkpoint=streams_pb2.ReadResp.Checkpoint(
            commit_position=position, prepare_position=position
        )
    )


def not_found(stream: str) -> streams_pb2.ReadResp:
    """Return the word that a stream does not exist."""
    identifier = shared_pb2.StreamIdentifier(stream_name=stream.encode())
    return streams_pb2.ReadResp(
        stream_not_found=streams_pb2.ReadResp.StreamNotFound(
            stream_identifier=identifier
        )
    )


def appended(entry: Entry) -> streams_pb2.AppendResp:
    """Return where a single append came to rest."""
    return streams_pb2.AppendResp(
        success=streams_pb2.AppendResp.Success(
            current_revision=entry.revision,
            position=streams_pb2.AppendResp.Position(
                commit_position=entry.position, prepare_position=entry.position
            ),
        )
    )


def mismatch(current: int) -> streams_pb2.AppendResp:
    """Return the refusal of a single append."""
    wrong = streams_pb2.AppendResp.WrongExpectedVersion()
    if current < 0:
        wrong.current_no_stream.CopyFrom(shared_pb2.Empty())
    else:
        wrong.current_revision = current
    return streams_pb2.AppendResp(wrong_expected_version=wrong)


def batch_appended(
    request: streams_pb2.BatchAppendReq, entry: Entry, *, told: bool
) -> streams_pb2.BatchAppendResp:
    """Return where a batch came to rest; old servers do not tell of a repeat."""
    success = streams_pb2.BatchAppendResp.Success(current_revision=entry.revision)
    if told:
        success.position.commit_position = entry.position
        success.position.prepare_position = entry.position
    else:
        success.no_position.CopyFrom(empty_pb2.Empty())
    return streams_pb2.BatchAppendResp(
        correlation_id=request.correlation_id, success=success
    )


def batch_refused(
    request: streams_pb2.BatchAppendReq, reason: Any, message: str
) -> streams_pb2.BatchAppendResp:
    """Return the refusal of a batch, for a `reason` out of the protocol."""
    details = any_pb2.Any()
    details.Pack(reason)
    return streams_pb2.BatchAppendResp(
        correlation_id=request.correlation_id,
        error=status_pb2.Status(message=message, details=details),
    )


def wrong_version(current: int) -> shared_pb2.WrongExpectedVersion:
    """Return why a batch at the wrong version is refused."""
    wrong = shared_pb2.WrongExpectedVersion()
    if current < 0:
        wrong.current_no_stream.CopyFrom(empty_pb2.Empty())
    else:
        wrong.current_stream_revision = current
    return wrong


def wanted(options: streams_pb2.ReadReq.Options) -> Callable[[Entry], bool]:
    """Return the filter of a read of all streams."""
    if options.WhichOneof("filter_option") == "no_filter":
        return lambda _: True
    kind = options.filter.WhichOneof("filter")
    expression = getattr(options.filter, kind)
    prefixes = tuple(expression.prefix)
    pattern = re.compile(expression.regex)

    def matches(entry: Entry) -> bool:
        text = entry.type if kind == "event_type" else entry.stream
        if prefixes:
            return text.startswith(prefixes)
        return bool(pattern.search(text))

    return matches


def first(entries: Iterable[Entry], count: int) -> Iterable[Entry]:
    """Yield `count` entries at most."""
    for number, entry in enumerate(entries):
        if number == count:
            return
        yield entry
