"""A key folder of its own for each test, and keyrings that are closed afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from shared.crypto.kek import Keks, create_kek
from shared.crypto.keyring import Keyring
from shared.crypto.tombstones import Tombstones

OpenKeyring = Callable[..., Keyring]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    create_kek(keys)
    return keys


@pytest.fixture
def keks(folder: Path) -> Keks:
    return Keks(folder)


@pytest.fixture
def tombstones(tmp_path: Path, keks: Keks) -> Tombstones:
    found = Tombstones(tmp_path / "tombstones.log", keks)
    found.create()
    return found


@pytest.fixture
def open_keyring(folder: Path) -> Iterator[OpenKeyring]:
    """As another process would open it: nothing shared but the files."""
    with ExitStack() as opened:

        def open_one(service: str = "crm", path: Path | None = None) -> Keyring:
            keks = Keks(folder)
            return opened.enter_context(
                closing(
                    Keyring(
                        service,
                        path or folder / f"{service}.db",
                        keks=keks,
                        tombstones=Tombstones(folder.parent / "tombstones.log", keks),
                    )
                )
            )

        yield open_one


@pytest.fixture
def keyring(open_keyring: OpenKeyring, tombstones: Tombstones) -> Keyring:
    del tombstones  # made first
    return open_keyring()
