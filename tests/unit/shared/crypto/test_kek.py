"""Key-encryption keys are made once, on request, and refused when exposed."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.crypto.kek import Keks, KeyFileUnsafe, KeyMissing, create_kek


def test_keys_are_numbered_and_only_the_owner_may_read_them(folder: Path) -> None:
    assert create_kek(folder) == 2
    keks = Keks(folder)
    assert keks.versions() == [1, 2]
    assert keks.newest() == 2
    assert keks.get(1) != keks.get(2) == keks.get(2)
    assert {path.name for path in folder.iterdir()} == {"kek-1", "kek-2"}
    assert all(path.stat().st_mode & 0o777 == 0o400 for path in folder.iterdir())


def test_a_key_of_the_same_number_is_never_replaced(folder: Path) -> None:
    before = (folder / "kek-1").read_bytes()
    (folder / "kek-2").symlink_to("nowhere")
    (folder / "kek-10").write_bytes(b"")
    assert create_kek(folder) == 11
    assert (folder / "kek-1").read_bytes() == before


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o420, 0o600 | 0o001])
def test_a_key_file_that_others_can_touch_is_refused(folder: Path, mode: int) -> None:
    (folder / "kek-1").chmod(mode)
    with pytest.raises(KeyFileUnsafe, match=r"chmod go-rwx .*kek-1"):
        Keks(folder).get(1)


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_key_of_another_length_is_refused(folder: Path, content: bytes) -> None:
    path = folder / "kek-2"
    path.write_bytes(content)
    path.chmod(0o400)
    with pytest.raises(KeyFileUnsafe, match="exactly 32 bytes"):
        Keks(folder).get(2)


def test_an_exposed_folder_is_refused(folder: Path) -> None:
    folder.chmod(0o750)
    with pytest.raises(KeyFileUnsafe, match="open to other users"):
        Keks(folder).newest()
    with pytest.raises(KeyFileUnsafe):
        create_kek(folder)


def test_absence_is_told_with_what_to_do(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(KeyFileUnsafe, match="key backup"):
        Keks(tmp_path / "absent").versions()
    (folder / "kek-1").unlink()
    with pytest.raises(KeyFileUnsafe, match="key backup"):
        Keks(folder).newest()
    with pytest.raises(KeyMissing, match="key backup"):
        Keks(folder).get(1)


def test_a_folder_in_the_place_of_a_key_is_refused(folder: Path) -> None:
    (folder / "kek-2").mkdir()
    with pytest.raises(KeyFileUnsafe, match="kek-2"):
        Keks(folder).get(2)
