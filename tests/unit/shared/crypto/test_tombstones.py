"""The list of the erased is complete, provable and never begun anew by itself."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.crypto.kek import Keks, KeyFileUnsafe, KeyMissing, create_kek
from shared.crypto.tombstones import Tombstones
from shared.eventstore.port import CorruptRecord


@contextmanager
def room_for(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tombstones.log"


def filled(tombstones: Tombstones, count: int = 5) -> None:
    for number in range(count):
        tombstones.add("crm", f"c{number}")


def test_the_erased_are_listed_in_order_each_once(
    tombstones: Tombstones, path: Path
) -> None:
    assert tombstones.owners() == []
    for owner in ("b", "a", "b"):
        tombstones.add("crm", owner)
    tombstones.create()  # changes nothing
    assert tombstones.owners() == ["b", "a"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_changed_bit_is_found(tombstones: Tombstones, path: Path) -> None:
    filled(tombstones, 2)
    good = path.read_bytes()
    for bit in range(len(good) * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        if bad.endswith(b"\n"):
            with pytest.raises((CorruptRecord, KeyMissing), match="line"):
                tombstones.owners()
        else:  # the last line looks half written: not promised
            assert tombstones.owners() == ["c0"]


@pytest.mark.parametrize("order", [[1, 2], [0, 2], [1, 0, 2], [0, 0, 1, 2], [2]])
def test_lines_dropped_moved_or_repeated_are_found(
    tombstones: Tombstones, path: Path, order: list[int]
) -> None:
    filled(tombstones, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[n] for n in order))
    with pytest.raises(CorruptRecord, match="line"):
        tombstones.owners()


def test_a_half_written_line_is_forgotten_and_overwritten(
    tombstones: Tombstones, path: Path
) -> None:
    filled(tombstones, 1)
    with path.open("ab") as file:
        file.write(b"1 crm half")
    assert tombstones.owners() == ["c0"]
    tombstones.add("crm", "c1")
    assert tombstones.owners() == ["c0", "c1"]


def test_a_full_disk_is_told_and_leaves_the_list_sound(
    tombstones: Tombstones, path: Path
) -> None:
    filled(tombstones, 1)
    with room_for(path.stat().st_size + 10), pytest.raises(OSError, match="part"):
        tombstones.add("crm", "c1")
    assert tombstones.owners() == ["c0"]
    tombstones.add("crm", "c2")
    assert tombstones.owners() == ["c0", "c2"]


def test_no_line_is_added_behind_a_forged_one(
    tombstones: Tombstones, path: Path
) -> None:
    filled(tombstones, 1)
    path.write_bytes(path.read_bytes().replace(b" c0 ", b" c9 "))
    with pytest.raises(CorruptRecord, match="last line"):
        tombstones.add("crm", "c1")


def test_rubbish_is_no_list(tombstones: Tombstones, path: Path) -> None:
    path.write_bytes(b"x" * 2000)
    with pytest.raises(CorruptRecord, match="last line"):
        tombstones.owners()


@pytest.mark.parametrize("owner", ["two words", "line\nbreak", "", "x" * 500])
def test_a_name_that_would_spoil_the_list_is_refused(
    tombstones: Tombstones, owner: str
) -> None:
    with pytest.raises(ValueError, match="one owner"):
        tombstones.add("crm", owner)
    assert tombstones.owners() == []


def test_a_lost_list_is_missed(path: Path, keks: Keks) -> None:
    lost = Tombstones(path, keks)
    with pytest.raises(KeyMissing, match="key backup"):
        lost.owners()
    with pytest.raises(KeyMissing, match="key backup"):
        lost.add("crm", "c1")


def test_an_exposed_list_is_refused(tombstones: Tombstones, path: Path) -> None:
    path.chmod(0o640)
    with pytest.raises(KeyFileUnsafe, match="chmod"):
        tombstones.owners()


def test_a_folder_in_its_place_is_refused(path: Path, keks: Keks) -> None:
    path.mkdir()
    with pytest.raises(KeyFileUnsafe):
        Tombstones(path, keks).owners()


def test_after_a_rotation_the_list_is_proven_without_the_old_key(
    tombstones: Tombstones, path: Path, folder: Path
) -> None:
    filled(tombstones, 2)
    create_kek(folder)
    tombstones.reseal()
    (folder / "kek-1").unlink()
    later = Tombstones(path, Keks(folder))
    later.add("crm", "c2")
    assert later.owners() == ["c0", "c1", "c2"]
    path.write_bytes(path.read_bytes().replace(b" c1 ", b" c9 "))
    with pytest.raises(CorruptRecord, match="line 3"):
        later.owners()


def test_without_the_key_of_its_last_line_nothing_is_believed(
    tombstones: Tombstones, path: Path, folder: Path
) -> None:
    filled(tombstones, 1)
    create_kek(folder)
    (folder / "kek-1").unlink()
    with pytest.raises(KeyMissing, match="kek-1"):
        Tombstones(path, Keks(folder)).owners()
