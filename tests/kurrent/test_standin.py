"""The stand-in answers the vendor's own client as the real server would."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import (
    InvalidCommitPositionError,
    MaximumAppendSizeExceededError,
    NotFoundError,
    WrongCurrentVersionError,
)

from tests.kurrent.server import StandIn

pytestmark = pytest.mark.integration
FRESH = StreamState.NO_STREAM


@pytest.fixture
def client(server: StandIn) -> Iterator[KurrentDBClient]:
    with KurrentDBClient(f"kurrentdb://localhost:{server.port}?Tls=false") as opened:
        yield opened


def made(number: int = 0) -> NewEvent:
    return NewEvent(type="ThingMade", data=b'{"n":%d}' % number)


def test_single_and_batch_appends_are_read_back(client: KurrentDBClient) -> None:
    one, two, three = made(1), made(2), made(3)
    first = client.append_to_stream("a", events=one, current_version=FRESH)
    last = client.append_to_stream("a", events=[two, three], current_version=0)
    found = client.get_stream("a")
    assert [each.id for each in found] == [one.id, two.id, three.id]
    assert [each.stream_position for each in found] == [0, 1, 2]
    assert found[0].commit_position == first
    assert found[2].commit_position == last == client.get_commit_position()
    assert [e.id for e in client.get_stream("a", backwards=True, limit=1)] == [three.id]
    assert client.get_current_version("a") == 2
    assert client.get_current_version("b") is FRESH


@pytest.mark.parametrize("many", [False, True], ids=["single", "batch"])
def test_a_wrong_version_is_told_and_a_repeat_is_not_written(
    client: KurrentDBClient, *, many: bool
) -> None:
    one, other = made(), made()
    first = client.append_to_stream("a", events=[one], current_version=FRESH)
    again = [one] if many else one
    assert client.append_to_stream("a", events=again, current_version=FRESH) == first
    for version in (FRESH, 4):
        late = [other] if many else other
        with pytest.raises(WrongCurrentVersionError) as wrong:
            client.append_to_stream("a", events=late, current_version=version)
        assert wrong.value.actual_version == 0
    with pytest.raises(WrongCurrentVersionError):
        client.append_to_stream("b", events=other, current_version=0)
    assert len(client.get_stream("a")) == 1


def test_an_unknown_stream_and_too_many_bytes_are_refused(
    client: KurrentDBClient,
) -> None:
    with pytest.raises(NotFoundError):
        client.get_stream("a")
    big = [NewEvent(type="Big", data=b"x" * 600_000) for _ in range(2)]
    with pytest.raises(MaximumAppendSizeExceededError):
        client.append_to_stream("a", events=big, current_version=FRESH)


def test_all_streams_are_read_from_a_position_on_without_system_events(
    client: KurrentDBClient,
) -> None:
    for number in range(20):
        client.append_to_stream(
            f"s{number % 3}", events=made(), current_version=StreamState.ANY
        )
    found = list(client.read_all())
    assert len(found) == 20
    assert len(list(client.read_all(filter_exclude=()))) > 20
    rest = list(client.read_all(commit_position=found[4].commit_position))
    assert [each.id for each in rest] == [each.id for each in found[4:]]
    with pytest.raises(InvalidCommitPositionError):
        list(client.read_all(commit_position=found[4].commit_position + 1))


def test_subscriptions_bring_old_and_new_and_checkpoints(
    client: KurrentDBClient,
) -> None:
    old = [made(number) for number in range(3)]
    client.append_to_stream("a", events=old, current_version=FRESH)
    start = client.get_stream("a")[0].commit_position
    with client.subscribe_to_all(
        commit_position=start,
        filter_include=("nothing",),
        filter_by_stream_name=True,
        include_checkpoints=True,
        include_caught_up=True,
        window_size=1,
        checkpoint_interval_multiplier=1,
    ) as nothing:
        seen = list(islice(nothing, 3))
    assert [each.is_checkpoint for each in seen] == [True, True, False]
    assert seen[-1].is_caught_up
    with client.subscribe_to_stream("a") as stream:
        assert [each.id for each in islice(stream, 3)] == [each.id for each in old]
        new = made()
        client.append_to_stream("a", events=new, current_version=2)
        assert next(stream).id == new.id
