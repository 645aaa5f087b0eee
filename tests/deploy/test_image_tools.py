"""What runs in the image beside the program: placing secrets, probing, stripping."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.image import place, probe, strip
from shared.crypto.kek import Keks, create_kek
from shared.crypto.keyring import Keyring
from shared.crypto.tombstones import Tombstones
from shared.flag import Flag
from shared.messaging.pairs import Pairs, create_pairs
from tests.deploy.manifests import ROOT
from tests.waiting import LONG


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return what a cluster mounts (open to a group), memory, and the data folder."""
    offered, placed = tmp_path / "offered", tmp_path / "placed"
    made = tmp_path / "made"
    made.mkdir(mode=0o700)
    create_kek(made)
    create_pairs(made / "pairs", [("portal", "crm")])
    mount = offered / "keys" / "..2026_11_25"
    mount.mkdir(parents=True)
    (mount / "kek-1").write_bytes((made / "kek-1").read_bytes())
    (offered / "keys" / "..data").symlink_to(mount.name)
    (offered / "keys" / "kek-1").symlink_to("..data/kek-1")
    (offered / "pairs").mkdir()
    pair = offered / "pairs" / "portal.crm"
    pair.write_bytes((made / "pairs" / "portal.crm").read_bytes())
    (offered / "tls").mkdir()
    (offered / "tls" / "tls.key").write_text("a key")
    placed.mkdir()
    return offered, placed, tmp_path / "disk" / "data"


def test_the_key_ring_takes_what_a_group_could_read_only_after_placing(
    folders: tuple[Path, Path, Path],
) -> None:
    offered, placed, data = folders
    assert place.place(offered, placed, data) == [
        "keys/kek-1",
        "pairs/portal.crm",
        "tls/tls.key",
    ]
    assert Keks(data / "keys").versions() == [1]
    assert len(Keks(data / "keys").get(1)) == 32
    assert Pairs(data / "keys" / "pairs").key("portal", "crm", "request")
    for name in ("keys/kek-1", "pairs/portal.crm", "tls/tls.key"):
        assert stat.S_IMODE((placed / name).stat().st_mode) == 0o400
    for folder in (data, data / "keys", data / "keys" / "pairs", placed / "keys"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_no_key_lies_on_the_disk(folders: tuple[Path, Path, Path]) -> None:
    offered, placed, data = folders
    place.place(offered, placed, data)
    real = [p for p in data.rglob("*") if not p.is_symlink() and p.is_file()]
    assert real == []


def test_placing_again_changes_nothing_and_takes_up_a_new_key(
    folders: tuple[Path, Path, Path],
) -> None:
    offered, placed, data = folders
    place.place(offered, placed, data)
    (offered / "keys" / "kek-2").write_bytes(os.urandom(32))
    place.place(offered, placed, data)
    place.place(offered, placed, data)
    assert Keks(data / "keys").versions() == [1, 2]


def test_a_key_that_is_offered_no_longer_is_forgotten(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    offered, placed, data = folders
    (offered / "keys" / "kek-2").write_bytes(os.urandom(32))
    place.place(offered, placed, data)
    (offered / "keys" / "kek-1").unlink()
    for path in sorted(placed.rglob("*"), reverse=True):  # memory, after a restart
        path.rmdir() if path.is_dir() else path.unlink()
    place.place(offered, placed, data)
    assert Keks(data / "keys").versions() == [2]


def test_a_pair_that_only_a_sister_process_holds_stays_linked(
    folders: tuple[Path, Path, Path],
) -> None:
    offered, placed, data = folders
    sister = data / "keys" / "pairs" / "envelope.crm"
    place.place(offered, placed, data)
    sister.symlink_to(placed / "pairs" / "envelope.crm")
    place.place(offered, placed, data)
    assert sister.is_symlink()


def test_a_real_key_file_is_never_replaced(folders: tuple[Path, Path, Path]) -> None:
    offered, placed, data = folders
    (data / "keys").mkdir(parents=True, mode=0o700)
    own = data / "keys" / "kek-1"
    own.write_bytes(b"x" * 32)
    with pytest.raises(place.Unplaceable, match="of its own"):
        place.place(offered, placed, data)
    assert own.read_bytes() == b"x" * 32


def test_a_first_start_makes_the_list_of_the_erased_and_a_lost_one_is_not_made_anew(
    folders: tuple[Path, Path, Path],
) -> None:
    offered, placed, data = folders
    place.place(offered, placed, data)
    assert place.start_afresh(data) is True
    assert place.start_afresh(data) is False
    keks = Keks(data / "keys")
    listed = Tombstones(data / "tombstones.log", keks)
    assert listed.owners() == []
    keyring = Keyring("crm", data / "keys" / "crm.db", keks=keks, tombstones=listed)
    keyring.ensure("c" * 32)
    keyring.close()
    (data / "tombstones.log").unlink()
    with pytest.raises(place.Unplaceable, match="restore it from the key backup"):
        place.start_afresh(data)


def test_a_process_is_ready_once_joined_and_not_after(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = ROOT / "deploy" / "image" / "probe.py"
        ask = [sys.executable, "-I", str(script), "joined", str(port)]
        assert subprocess.run(ask, check=False, timeout=LONG).returncode == 1
        with socket.create_connection(("127.0.0.1", port)):
            assert subprocess.run(ask, check=False, timeout=LONG).returncode == 0


def test_a_follower_that_stands_still_for_good_is_not_ready_but_alive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        flag = Flag()
        with socket.create_connection(("127.0.0.1", port)):
            for shown in (False, True, True, False):
                flag.show(shown=shown)
                assert probe.main("follows", port) is not shown
                assert probe.main("joined", port)
        assert not probe.main("follows", port)


def test_a_connection_that_is_ending_or_came_from_that_port_does_not_count() -> None:
    head = "  sl  local_address rem_address   st tx_queue\n"
    closing = head + "   0: 0100007F:9C40 0100007F:1627 06 00000000\n"
    served = head + "   0: 0100007F:1627 0100007F:9C40 01 00000000\n"
    joined = head + "   0: 0100007F:9C40 0100007F:1627 01 00000000\n"
    assert not probe.joined(5671, [closing, served])
    assert probe.joined(5671, [closing, joined])


def test_a_site_that_does_not_answer_is_not_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not probe.main("answers", port)
    assert not probe.main("anything", port)


def test_nothing_but_python_can_be_run_in_what_is_left(tmp_path: Path) -> None:
    for name in (
        "usr/bin/bash",
        "usr/sbin/useradd",
        "bin/sh",
        "src/x",
        "tmp/left",
        "app/bin/flask",
        "app/bin/python",
        "usr/local/bin/pip3",
        "usr/local/bin/python3.11",
        "usr/lib/x86_64-linux-gnu/perl-base/a",
        "usr/lib/libssl.so.3",
        "usr/local/lib/python3.11/site-packages/pip/x.py",
        "usr/local/lib/python3.11/ssl.py",
        "var/lib/dpkg/status",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert strip.strip(tmp_path) == ["python", "python3.11"]
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {
        "app/bin/python",
        "usr/local/bin/python3.11",
        "usr/lib/libssl.so.3",
        "usr/local/lib/python3.11/ssl.py",
        "var/lib/dpkg/status",
    }
