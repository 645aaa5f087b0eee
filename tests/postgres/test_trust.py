"""TLS under an authority of one's own, credentials out of a file, fit servers only."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from shared.eventstore.port import NO_STREAM, StoreUnavailable
from shared.eventstore.postgres import Address, PostgresJournal
from shared.eventstore.postgres.lines import Lines
from tests.builders import raw
from tests.kurrent.authority import Authority
from tests.postgres.conftest import STORE, Opener
from tests.postgres.server import ACCOUNT, PASSWORD, Server, private_server
from tests.waiting import AT_ONCE, LONG, until

pytestmark = pytest.mark.integration
Secure = Callable[..., PostgresJournal]
LOGIN = f"{ACCOUNT}:{PASSWORD}"
TLS_ONLY = "local all all trust\nhostssl all all all scram-sha-256\n"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def guarded(authority: Authority) -> Iterator[Server]:
    with private_server() as server:
        server.store(STORE)
        server.trust(*authority.certificate(), TLS_ONLY)
        server.stop(signal.SIGQUIT)
        server.start()
        yield server


@pytest.fixture
def secure(
    stack: ExitStack, guarded: Server, authority: Authority, tmp_path: Path
) -> Secure:
    def open_secure(
        *, root: bytes = authority.root, login: str = LOGIN, host: str = "localhost"
    ) -> PostgresJournal:
        ca = tmp_path / "ca.pem"
        ca.write_bytes(root)
        address = Address.from_uri(
            f"postgresql://{host}:{guarded.port}/{STORE}",
            ca=ca,
            credentials=guarded.account(tmp_path, login),
        )
        return stack.enter_context(closing(PostgresJournal(address, patience=LONG)))

    return open_secure


def test_a_server_under_our_authority_is_written_read_and_watched(
    guarded: Server, secure: Secure
) -> None:
    guarded.store(STORE)
    journal = secure()
    event = raw(size=300_000)  # more than a socket takes at once
    journal.append("a", [event], expected=NO_STREAM)
    assert [r.body for r in journal.read("a")] == [event.body]
    assert journal.wait(0, 0)
    with guarded.owner(STORE) as owner:
        found = owner.execute(
            "SELECT ssl FROM pg_stat_ssl NATURAL JOIN pg_stat_activity"
            " WHERE application_name = 'letterlock'"
        ).fetchall()
    assert set(found) == {(True,)}


@pytest.mark.parametrize("login", [f"{ACCOUNT}:wrong", f"nobody:{PASSWORD}"])
def test_wrong_credentials_are_refused_at_once(secure: Secure, login: str) -> None:
    journal = secure(login=login)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="refused us") as refused:
        journal.append("a", [raw()], expected=NO_STREAM)
    assert time.monotonic() - began < AT_ONCE
    for secret in (ACCOUNT, PASSWORD, "nobody", "wrong"):
        assert secret not in str(refused.value)


def test_a_server_under_another_authority_is_not_spoken_to(secure: Secure) -> None:
    with pytest.raises(StoreUnavailable, match="not one that we trust"):
        secure(root=Authority().root).append("a", [raw()], expected=NO_STREAM)


def test_a_certificate_for_another_name_is_not_accepted(secure: Secure) -> None:
    with pytest.raises(StoreUnavailable, match="not one that we trust"):
        secure(host="127.0.0.1").read_all(0, 1)


def test_plain_text_to_a_guarded_server_gets_nowhere(
    stack: ExitStack, guarded: Server, tmp_path: Path
) -> None:
    address = guarded.address(STORE, tmp_path)
    journal = stack.enter_context(closing(PostgresJournal(address, patience=LONG)))
    with pytest.raises(StoreUnavailable, match="refused us"):
        journal.read_all(0, 1)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DROP SCHEMA letterlock CASCADE", "store-layout"),
        ("UPDATE letterlock.layout SET format = 99", "layout 99"),
        ("GRANT UPDATE ON letterlock.events TO letterlock", "may change facts"),
        ("GRANT TRUNCATE ON letterlock.events TO PUBLIC", "may change facts"),
        ("REVOKE SELECT ON letterlock.layout FROM letterlock", "lacks a right"),
    ],
)
def test_a_store_that_is_not_fit_is_refused_at_once(
    server: Server, name: str, journal: PostgresJournal, statement: str, reason: str
) -> None:
    with server.owner(name) as owner:
        owner.execute(statement.encode())
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=reason):
        journal.append("a", [raw()], expected=NO_STREAM)
    with pytest.raises(StoreUnavailable, match=reason):
        journal.wait(0, LONG)
    assert time.monotonic() - began < AT_ONCE


def test_neither_variables_nor_the_account_s_defaults_change_how_facts_are_kept(
    server: Server, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    careless = {
        "synchronous_commit": "off",
        "default_transaction_isolation": "'repeatable read'",
        "statement_timeout": "0",
    }
    role = f"ALTER ROLE {ACCOUNT} IN DATABASE {name}"
    lines = Lines(server.address(name, tmp_path), 45.0)
    until = time.monotonic() + LONG
    with server.owner(name) as owner:
        for setting, value in careless.items():
            owner.execute(f"{role} SET {setting} = {value}".encode())
        monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
        monkeypatch.setenv("PGOPTIONS", "-c synchronous_commit=off")
        monkeypatch.setenv("PGSSLMODE", "require")
        try:
            with closing(lines.connect(until)) as line:
                found = {
                    setting: line.ask(b"SHOW " + setting.encode(), until=until)
                    for setting in careless
                }
        finally:
            owner.execute(f"{role} RESET ALL".encode())
    kept = {setting: answer.get_value(0, 0) for setting, answer in found.items()}
    assert kept == {
        "synchronous_commit": b"on",
        "default_transaction_isolation": b"read committed",
        "statement_timeout": b"45s",
    }


def test_a_right_lost_in_between_is_told_and_ends_nothing(
    server: Server, name: str, open_journal: Opener
) -> None:
    journal, event = open_journal(), raw()
    journal.append("z", [raw()], expected=NO_STREAM)
    right = "EXECUTE ON ALL FUNCTIONS IN SCHEMA letterlock"
    with server.owner(name) as owner:
        owner.execute(f"REVOKE {right} FROM {ACCOUNT}".encode())
        with pytest.raises(StoreUnavailable, match="lacks a right"):
            journal.append("a", [event], expected=NO_STREAM)
        owner.execute(f"GRANT {right} TO {ACCOUNT}".encode())
    assert journal.append("a", [event], expected=NO_STREAM).position == 2


def test_a_server_that_does_not_write_through_is_refused(
    server: Server, name: str, journal: PostgresJournal
) -> None:
    with server.owner(name) as owner:

        def reload(change: bytes, to: str) -> None:
            owner.execute(b"ALTER SYSTEM " + change)
            owner.execute("SELECT pg_reload_conf()")
            until(lambda: owner.execute("SHOW fsync").fetchone() == (to,), "fsync")

        reload(b"SET fsync = off", "off")
        try:
            with pytest.raises(StoreUnavailable, match="fsync"):
                journal.append("a", [raw()], expected=NO_STREAM)
        finally:
            reload(b"RESET fsync", "on")
