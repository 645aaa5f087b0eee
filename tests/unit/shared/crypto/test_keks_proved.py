"""A key file that is lost or exchanged is noticed at the start, not by a request."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from shared.crypto.kek import KeyFileUnsafe, create_kek
from shared.crypto.keydb import KeyTable
from shared.crypto.keyring import Keyring
from tests.unit.shared.crypto.conftest import OpenKeyring

OWNERS = [f"{number:032x}" for number in range(9)]


@contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / "crm.db")) as db, db:
        yield db


def exchange(folder: Path, version: int) -> None:
    path = folder / f"kek-{version}"
    path.unlink(missing_ok=True)
    path.write_bytes(secrets.token_bytes(32))
    path.chmod(0o400)


def test_an_empty_database_and_fit_keys_are_passed(keyring: Keyring) -> None:
    keyring.prove_keks()
    for owner in OWNERS:
        keyring.ensure(owner)
    keyring.destroy(OWNERS[0])
    keyring.prove_keks()


@pytest.mark.parametrize("newer", [False, True], ids=["alone", "beside a newer"])
def test_a_lost_key_file_is_named_with_what_needs_it(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path, *, newer: bool
) -> None:
    keyring.ensure(OWNERS[0])
    if newer:
        create_kek(folder)
    (folder / "kek-1").unlink()
    with pytest.raises(KeyFileUnsafe, match=r"kek-1 is gone, and .*crm\.db needs it"):
        open_keyring().prove_keks()


def test_an_exchanged_key_file_is_named_with_what_it_does_not_open(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path
) -> None:
    keyring.ensure(OWNERS[0])
    exchange(folder, 1)
    with pytest.raises(KeyFileUnsafe, match=r"kek-1 does not open what .*crm\.db"):
        open_keyring().prove_keks()


def test_a_newest_key_file_that_is_exchanged_is_noticed_behind_fit_ones(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path
) -> None:
    keyring.ensure(OWNERS[0])
    create_kek(folder)
    keyring.ensure(OWNERS[1])
    exchange(folder, 2)
    with pytest.raises(KeyFileUnsafe, match="kek-2"):
        open_keyring().prove_keks()


def test_keys_that_an_exchanged_file_wrapped_since_do_not_hide_the_older_ones(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path
) -> None:
    for owner in OWNERS[:3]:
        keyring.ensure(owner)
    exchange(folder, 1)
    later = open_keyring()
    for owner in OWNERS[3:]:
        later.ensure(owner)
    with pytest.raises(KeyFileUnsafe, match="kek-1"):
        later.prove_keks()


def test_a_half_done_rewrap_is_passed_while_both_key_files_are_there(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path
) -> None:
    for owner in OWNERS:
        keyring.ensure(owner)
    create_kek(folder)
    table = keyring._table
    rows = next(table.pages(4))
    table.rewrap([(row, keyring._keys.rewrapped(row, 2)) for row in rows])
    open_keyring().prove_keks()
    (folder / "kek-1").unlink()
    with pytest.raises(KeyFileUnsafe, match="kek-1 is gone"):
        open_keyring().prove_keks()


def test_after_a_rewrap_the_older_key_file_is_not_missed(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path
) -> None:
    for owner in OWNERS:
        keyring.ensure(owner)
    keyring.destroy(OWNERS[3])  # wrapped under the older key for ever, by zeros
    create_kek(folder)
    keyring.rewrap()
    (folder / "kek-1").unlink()
    open_keyring().prove_keks()


def test_one_altered_key_is_no_reason_not_to_start(
    keyring: Keyring, folder: Path
) -> None:
    for owner in OWNERS:
        keyring.ensure(owner)
    with opened(folder) as db:
        db.execute(
            "UPDATE data_key SET wrapped = randomblob(60) WHERE owner IN (?, ?)",
            (OWNERS[0], OWNERS[-1]),
        )
    keyring.prove_keks()


def test_a_key_database_of_an_earlier_version_is_read_and_proved(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path
) -> None:
    for owner in OWNERS:
        keyring.ensure(owner)
    keyring.close()
    with opened(folder) as db:  # as it was before it could be asked by key file
        db.execute("DROP INDEX data_key_by_kek")
    again = open_keyring()
    assert all(again.has(owner) for owner in OWNERS)
    again.prove_keks()
    exchange(folder, 1)
    with pytest.raises(KeyFileUnsafe, match="kek-1"):
        open_keyring().prove_keks()


def test_the_look_is_bounded_however_many_keys_there_are(
    keyring: Keyring, folder: Path
) -> None:
    for owner in OWNERS:
        keyring.ensure(owner)
    keyring.destroy(OWNERS[0])
    with closing(KeyTable(folder / "crm.db")) as table:
        ends = [[row.owner for row in rows] for rows in table.samples(2)]
    assert ends == [OWNERS[1:3], [OWNERS[-1], OWNERS[-2]]]
