"""TLS under an authority of one's own, and credentials out of a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from shared.eventstore.kurrent import Cluster, KurrentJournal
from shared.eventstore.port import NO_STREAM, StoreUnavailable
from tests.builders import raw
from tests.kurrent.authority import Authority
from tests.kurrent.conftest import Opener, have_patience
from tests.kurrent.server import StandIn
from tests.waiting import AT_ONCE, LONG

pytestmark = pytest.mark.integration
LOGIN = "letterlock:p@ss:w/rd%"
Secure = Callable[..., KurrentJournal]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def guarded(stack: ExitStack, authority: Authority) -> StandIn:
    started = StandIn(certificate=authority.certificate(), login=LOGIN)
    stack.callback(started.stop)
    return started


@pytest.fixture
def secure(
    stack: ExitStack, guarded: StandIn, authority: Authority, tmp_path: Path
) -> Secure:
    def open_secure(
        *,
        root: bytes = authority.root,
        login: str = LOGIN,
        port: int = guarded.port,
        patience: float = LONG,
    ) -> KurrentJournal:
        ca, secret = tmp_path / "ca.pem", tmp_path / "credentials"
        ca.write_bytes(root)
        secret.write_text(login)
        cluster = Cluster.from_uri(
            f"kurrentdb://localhost:{port}?tls=true",
            ca=ca,
            credentials=secret if login else None,
        )
        return stack.enter_context(closing(KurrentJournal(cluster, patience=patience)))

    return open_secure


def test_a_cluster_under_our_authority_is_written_read_and_watched(
    secure: Secure,
) -> None:
    journal = secure()
    event = raw()
    journal.append("a", [event], expected=NO_STREAM)
    assert [r.event_id for r in journal.read("a")] == [event.event_id]
    assert journal.wait(0, 0)


@pytest.mark.parametrize("login", ["letterlock:wrong", "admin:p@ss:w/rd%", ""])
def test_wrong_credentials_are_refused_at_once(
    secure: Secure, guarded: StandIn, login: str
) -> None:
    journal = secure(login=login)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="refused us") as refused:
        journal.append("a", [raw()], expected=NO_STREAM)
    with pytest.raises(StoreUnavailable, match="refused us"):
        journal.read_all(0, 1)
    assert time.monotonic() - began < AT_ONCE
    assert guarded.log.stream("a") == []
    assert "letterlock" not in str(refused.value)


def test_a_server_under_another_authority_is_not_spoken_to(
    secure: Secure, guarded: StandIn
) -> None:
    journal = secure(root=Authority().root, patience=1.5)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="no answer"):
        journal.append("a", [raw()], expected=NO_STREAM)
    assert time.monotonic() - began < AT_ONCE
    assert guarded.calls == 0


def test_a_certificate_for_another_name_is_not_accepted(
    stack: ExitStack, secure: Secure, authority: Authority
) -> None:
    other = StandIn(certificate=authority.certificate("elsewhere.example"))
    stack.callback(other.stop)
    with pytest.raises(StoreUnavailable, match="no answer"):
        secure(port=other.port, patience=1.5).read_all(0, 1)
    assert other.calls == 0


def test_plain_text_to_a_guarded_server_gets_nowhere(
    guarded: StandIn, open_journal: Opener
) -> None:
    journal = open_journal(guarded.port)
    have_patience(journal, 1)
    with pytest.raises(StoreUnavailable):
        journal.read_all(0, 1)
    assert guarded.calls == 0
