"""Where the server is: told by a URI without secrets, and files."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from shared.eventstore.postgres import Address, layout
from shared.settings import SettingsError


def told(address: Address, at: int = 0) -> dict[str, object]:
    info = address.conninfo(address.targets[at], 5.0).decode()
    return dict(conninfo_to_dict(info))


def test_servers_are_read_from_uri_and_files(tmp_path: Path) -> None:
    ca, secret = tmp_path / "ca 1.pem", tmp_path / "account"
    secret.write_text("letter'lock:p@ss:w/rd %\\\n")
    found = Address.from_uri(
        "postgresql://a.example,[2001:db8::1]:5433/letter%20lock",
        ca=ca,
        credentials=secret,
    )
    assert found.targets == (("a.example", 5432), ("2001:db8::1", 5433))
    assert str(found) == "a.example:5432, 2001:db8::1:5433"
    assert "w/rd" not in repr(found)
    second = told(found, 1)
    assert second["host"] == "2001:db8::1"
    assert second["dbname"] == "letter lock"
    assert (second["user"], second["password"]) == ("letter'lock", "p@ss:w/rd %\\")
    assert (second["sslmode"], second["sslrootcert"]) == ("verify-full", str(ca))
    assert second["require_auth"] == "scram-sha-256"
    assert second["target_session_attrs"] == "read-write"


@pytest.mark.parametrize(
    ("uri", "sslmode"),
    [
        ("postgresql://127.0.0.1:5433/x", "disable"),
        ("postgres://localhost/x", "disable"),
        ("postgresql://[::1]/x", "disable"),
        ("postgresql:///x?host=/run/postgresql", "disable"),
        ("postgresql://192.0.2.7/x", "verify-full"),
        ("postgresql://localhost.example/x", "verify-full"),
    ],
)
def test_another_machine_is_spoken_to_over_checked_tls_only(
    uri: str, sslmode: str
) -> None:
    found = told(Address.from_uri(uri))
    assert found["sslmode"] == sslmode
    assert found.get("sslrootcert") == ("system" if sslmode != "disable" else None)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("postgresql://me:secret@a.example/x", "holds credentials"),
        ("postgresql://a.example/x?password=secret", "option not honoured"),
        ("postgresql://a.example/x?sslmode=disable", "sslmode"),
        ("postgresql://a.example/x?host=/secret", "not of the form"),
        ("postgresql:///x?host=secret.example", "not of the form"),
        ("postgresql:///x?host=/a&host=/b", "host"),
        ("postgresql:///x", "not of the form"),
        ("postgresql://a.example", "not of the form"),
        ("postgresql://a.example/x#secret", "not of the form"),
        ("kurrentdb://secret.example/x", "not of the form"),
        ("postgresql://a.example:port/x", "names no server"),
        ("postgresql://a.example,/x", "names no server"),
        ("", "not of the form"),
    ],
)
def test_what_is_unsafe_or_not_understood_is_refused(uri: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as refused:
        Address.from_uri(uri)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b"nobody", b"a:", b":b", b"a:b\nc:d", b"\xff:\xff", b"a:\0b"]
)
def test_credentials_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    secret = tmp_path / "account"
    secret.write_bytes(content)
    with pytest.raises(SettingsError, match="user:password"):
        Address.from_uri("postgresql://a.example/x", credentials=secret)
    with pytest.raises(SettingsError, match="absent cannot be read"):
        Address.from_uri("postgresql://a.example/x", credentials=tmp_path / "absent")


def test_an_account_is_quoted_in_the_layout_and_cannot_break_out() -> None:
    assert 'TO "a""; DROP SCHEMA x; --";' in layout('a"; DROP SCHEMA x; --')
    assert "@" not in layout("letterlock")
    for name in ("", "a\nb"):
        with pytest.raises(SettingsError, match="no name"):
            layout(name)
