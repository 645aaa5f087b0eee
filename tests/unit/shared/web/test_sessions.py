"""Sessions live on the server, for a while, and end there at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.clock import ManualClock
from shared.web.sessions import Sessions

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANN = "a" * 32
BO = "b" * 32


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def sessions(tmp_path: Path, clock: ManualClock) -> Iterator[Sessions]:
    store = Sessions(tmp_path / "run" / "sessions.db", clock)
    yield store
    store.close()


def test_a_session_knows_its_actor_and_a_secret(sessions: Sessions) -> None:
    found = sessions.find(sessions.start(ANN))
    assert found is not None
    assert found.actor_id == ANN
    assert len(found.csrf_secret) == 32
    assert found.csrf_secret.hex() not in repr(found)


def test_tokens_have_256_bits_and_are_stored_only_hashed(
    sessions: Sessions, tmp_path: Path
) -> None:
    tokens = {sessions.start(ANN) for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 43 for token in tokens)
    sessions.close()
    on_disk = b"".join(
        path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()
    )
    assert ANN.encode() in on_disk
    assert not any(token.encode() in on_disk for token in tokens)


def test_signing_in_again_kills_the_old_session(sessions: Sessions) -> None:
    old = sessions.start(ANN)
    new = sessions.start(ANN, replacing=old)
    assert sessions.find(old) is None
    assert sessions.find(new) is not None


def test_half_an_hour_of_silence_ends_a_session(
    sessions: Sessions, clock: ManualClock
) -> None:
    token = sessions.start(ANN)
    for _ in range(3):
        clock.move(timedelta(minutes=29))
        assert sessions.find(token) is not None
    clock.move(timedelta(minutes=30))
    assert sessions.find(token) is None


def test_twelve_hours_end_a_session_however_busy(
    sessions: Sessions, clock: ManualClock
) -> None:
    token = sessions.start(ANN)
    for _ in range(47):
        clock.move(timedelta(minutes=15))
        assert sessions.find(token) is not None
    clock.move(timedelta(minutes=15))
    assert sessions.find(token) is None


def test_ending_one_leaves_the_others(sessions: Sessions) -> None:
    first, second = sessions.start(ANN), sessions.start(ANN)
    sessions.end(first)
    assert sessions.find(first) is None
    assert sessions.find(second) is not None


def test_all_sessions_of_an_actor_end_at_once_save_one(sessions: Sessions) -> None:
    mine, other, foreign = (sessions.start(actor) for actor in (ANN, ANN, BO))
    assert sessions.end_all(ANN, but=mine) == 1
    assert sessions.find(mine) is not None
    assert sessions.find(other) is None
    assert sessions.end_all(ANN) == 1
    assert sessions.find(mine) is None
    assert sessions.find(foreign) is not None


def test_another_process_sees_the_end_at_its_next_request(
    sessions: Sessions, clock: ManualClock, tmp_path: Path
) -> None:
    token = sessions.start(ANN)
    neighbour = Sessions(tmp_path / "run" / "sessions.db", clock)
    assert neighbour.find(token) is not None
    sessions.end_all(ANN)
    assert neighbour.find(token) is None
    neighbour.close()


@pytest.mark.parametrize("token", ["", "x", "é", "a" * 43, "' OR 1=1 --"])
def test_a_made_up_token_finds_nothing(sessions: Sessions, token: str) -> None:
    sessions.start(ANN)
    assert sessions.find(token) is None


def test_building_the_store_opens_nothing(tmp_path: Path, clock: ManualClock) -> None:
    Sessions(tmp_path / "sessions.db", clock).close()
    assert not list(tmp_path.iterdir())


def test_nobody_else_on_the_machine_can_read_the_file(
    sessions: Sessions, tmp_path: Path
) -> None:
    sessions.start("a" * 32)
    files = [path for path in (tmp_path / "run").iterdir() if path.is_file()]
    assert files
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
