"""Every keeper of blobs keeps the same promises."""

from __future__ import annotations

import hashlib
import resource
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.blobs import Blobs, BlobUnknown, FileBlobs, MemoryBlobs
from shared.eventstore.port import CorruptRecord, StoreUnavailable

ABSENT = "0" * 64


@pytest.fixture(params=["memory", "files"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return MemoryBlobs() if request.param == "memory" else FileBlobs(tmp_path / "blobs")


@settings(
    suppress_health_check=(
        *settings().suppress_health_check,
        HealthCheck.function_scoped_fixture,
    )
)
@given(content=st.binary())
def test_what_is_put_comes_back_under_its_hash(blobs: Blobs, content: bytes) -> None:
    name = blobs.put(content)
    assert name == hashlib.sha256(content).hexdigest()
    assert blobs.put(content) == name
    assert blobs.get(name) == content
    assert name in list(blobs.names())


def test_an_erased_blob_is_gone(blobs: Blobs) -> None:
    first, second = blobs.put(b"one"), blobs.put(b"two")
    assert list(blobs.names()) == sorted([first, second])
    assert blobs.delete(first)
    assert not blobs.delete(first)
    with pytest.raises(BlobUnknown):
        blobs.get(first)
    assert list(blobs.names()) == [second]


@pytest.mark.parametrize("name", [ABSENT, "", "../../etc/passwd", "A" * 64, "0" * 65])
def test_a_name_that_is_none_is_unknown(blobs: Blobs, name: str) -> None:
    with pytest.raises(BlobUnknown):
        blobs.get(name)


def test_a_changed_blob_is_found_and_named(tmp_path: Path) -> None:
    memory, files = MemoryBlobs(), FileBlobs(tmp_path)
    name = files.put(b"content")
    memory._kept[name] = b"Content"
    (tmp_path / name[:2] / name[2:4] / name).write_bytes(b"Content")
    for blobs in (memory, files):
        with pytest.raises(CorruptRecord, match=name):
            blobs.get(name)
    assert files.put(b"content") == name  # putting it again mends it
    assert files.get(name) == b"content"


def test_files_are_for_the_owner_alone_two_folders_deep(tmp_path: Path) -> None:
    name = FileBlobs(tmp_path).put(b"content")
    path = tmp_path / name[:2] / name[2:4] / name
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700


def test_what_a_crash_left_half_written_is_passed_over(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    name = blobs.put(b"content")
    (tmp_path / name[:2] / name[2:4] / ".new-0123456789abcdef").write_bytes(b"con")
    assert list(blobs.names()) == [name]


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StoreUnavailable, match="blobs"):
            blobs.put(b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert blobs.get(blobs.put(b"x" * 100_000)) == b"x" * 100_000


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"a file")
    with pytest.raises(StoreUnavailable):
        FileBlobs(tmp_path / "blobs").put(b"content")
    with pytest.raises(StoreUnavailable):
        FileBlobs(tmp_path / "blobs").get(ABSENT)
