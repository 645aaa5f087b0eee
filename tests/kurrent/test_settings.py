"""Where the cluster is: told by a URI without secrets, and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.eventstore.kurrent import Cluster
from shared.settings import SettingsError


def test_a_cluster_is_read_from_uri_and_files(tmp_path: Path) -> None:
    ca, secret = tmp_path / "ca.pem", tmp_path / "credentials"
    ca.write_bytes(b"PEM")
    secret.write_text("letterlock:p@ss:w/rd%\n")
    found = Cluster.from_uri(
        "kurrentdb://a.example,b.example:2114?tls=true&nodePreference=leader",
        ca=ca,
        credentials=secret,
    )
    assert found.targets == ("a.example:2113", "b.example:2114")
    assert found.gossip
    assert found.tls
    assert found.ca == b"PEM"
    assert found.credentials == ("letterlock", "p@ss:w/rd%")
    assert "w/rd" not in repr(found)


def test_one_node_is_asked_nothing_and_a_name_for_many_is() -> None:
    assert not Cluster.from_uri("esdb://a.example:2113").gossip
    assert Cluster.from_uri("esdb+discover://a.example:2113").gossip


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("kurrentdb://me:secret@a.example:2113", "holds credentials"),
        ("kurrentdb://a.example:2113?tls=false", "without TLS"),
        ("kurrentdb://localhost:1,192.0.2.7:2?tls=false", "without TLS"),
        ("kurrentdb://a.example:2113?tlsVerifyCert=false", "tlsVerifyCert"),
        ("kurrentdb://a.example:2113?tlsCaFile=/secret", "tlsCaFile"),
        ("kurrentdb://a.example:2113?nodePreference=follower", "leader"),
        ("kurrentdb://a.example:2113?tls=perhaps", "not of the form"),
        ("http://secret.example", "not of the form"),
        ("kurrentdb://", "not of the form"),
        ("", "not of the form"),
    ],
)
def test_what_is_unsafe_or_not_understood_is_refused(uri: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as refused:
        Cluster.from_uri(uri)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b"nobody", b"a:", b":b", b"a:b\nc:d", b"\xff:\xff"]
)
def test_credentials_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    secret = tmp_path / "credentials"
    secret.write_bytes(content)
    with pytest.raises(SettingsError, match="user:password"):
        Cluster.from_uri("kurrentdb://a.example", credentials=secret)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.pem cannot be read"):
        Cluster.from_uri("kurrentdb://a.example", ca=tmp_path / "absent.pem")
