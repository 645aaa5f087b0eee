"""The key database: what is destroyed is gone from every byte of its files."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.codec import HOUSE, Place
from shared.crypto.kek import KeyFileUnsafe, create_kek
from shared.crypto.keydb import KeyRow, KeysUnavailable, KeyTable, _transaction
from shared.crypto.keyring import Keyring
from shared.eventstore.port import CorruptRecord
from tests.unit.shared.crypto.conftest import OpenKeyring
from tests.waiting import LONG

CHECKPOINT_LOCK = 121  # byte of the -shm file that SQLite locks meanwhile
NAME = Place(stream="crm.contact-1", event_id="e1", type_name="Created", field="name")


@pytest.fixture
def table(tmp_path: Path) -> Iterator[KeyTable]:
    with closing(KeyTable(tmp_path / "crm.db", patience=0.05)) as opened:
        yield opened


def bytes_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("crm.db*")))


def wrapped_of(keyring: Keyring, owner: str) -> list[bytes]:
    return [row.wrapped for row in keyring._table.all_of(owner)]


def test_no_byte_of_a_destroyed_key_stays_in_the_files(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path
) -> None:
    other = open_keyring()  # another process holds the file open meanwhile
    owners = [f"{number * 7919 % 400:032x}" for number in range(400)]
    old: dict[str, list[bytes]] = {}
    for owner in owners:
        keyring.ensure(owner)
        other.has(owner)
    for owner in owners[::5]:
        keyring.renew(owner)
    for owner in owners:
        old[owner] = wrapped_of(keyring, owner)
    create_kek(folder)
    keyring.rewrap()
    for owner in owners:
        old[owner] += wrapped_of(keyring, owner)
    erased, kept = owners[::3], set(owners) - set(owners[::3])
    assert all(old[owner][-1] in bytes_on_disk(folder) for owner in erased)
    for owner in erased:
        keyring.destroy(owner)
    disk = bytes_on_disk(folder)
    assert (folder / "crm.db-wal").stat().st_size == 0
    assert all(old[owner][-1] in disk for owner in kept)
    for owner in owners:
        stale = old[owner] if owner in erased else old[owner][: len(old[owner]) // 2]
        for wrapped in stale:
            assert not any(wrapped[at : at + 12] in disk for at in (0, 12, 24, 36, 48))


def test_the_key_files_hold_no_plain_text_and_no_open_key(
    keyring: Keyring, folder: Path
) -> None:
    canary = b"Anna Canary, 12 Secret Street"
    keyring.seal("a" * 32, NAME, canary)
    keyring.seal_value(HOUSE, NAME, canary)
    disk = bytes_on_disk(folder)
    assert canary not in disk
    assert all(bytes(held.key) not in disk for held in keyring._keys._held.values())


def test_only_the_owner_of_the_process_may_read_the_files(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path
) -> None:
    keyring.ensure(HOUSE)
    found = {path.name: path.stat().st_mode & 0o777 for path in folder.glob("crm.db*")}
    assert found == {"crm.db": 0o600, "crm.db-wal": 0o600, "crm.db-shm": 0o600}
    (folder / "crm.db").chmod(0o640)
    with pytest.raises(KeyFileUnsafe, match="chmod go-rwx"):
        open_keyring().ensure(HOUSE)


def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeysUnavailable, match="No such file"):
        KeyTable(tmp_path / "absent" / "crm.db").newest("a")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "crm.db"
    path.write_bytes(b"rubbish " * 1000)
    path.chmod(0o600)
    with pytest.raises(CorruptRecord, match="not a database"):
        KeyTable(path).newest("a")


def test_a_log_that_someone_reads_is_emptied_later(
    table: KeyTable, tmp_path: Path
) -> None:
    table.add(KeyRow("a", 1, "00", 1, b"x" * 60))
    with closing(sqlite3.connect(tmp_path / "crm.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM data_key").fetchall()
        assert table.bury("a", "01")
        with pytest.raises(KeysUnavailable, match="in use"):
            table.empty_log()
        reader.execute("COMMIT")
        table.empty_log()
    assert (tmp_path / "crm.db-wal").stat().st_size == 0


def test_emptying_the_log_waits_for_another_process_that_does_the_same(
    table: KeyTable, tmp_path: Path
) -> None:
    table.add(KeyRow("a", 1, "00", 1, b"x" * 60))
    lock = (
        "import fcntl, sys, time\n"
        "file = open(sys.argv[1], 'r+b')\n"
        f"fcntl.lockf(file, fcntl.LOCK_EX, 1, {CHECKPOINT_LOCK})\n"
        "print('locked', flush=True)\n"
        "time.sleep(float(sys.argv[2]))\n"
    )
    patient = KeyTable(tmp_path / "crm.db", patience=LONG)
    with closing(patient):
        for seconds, emptied in (("0.3", True), (f"{LONG}", False)):
            with subprocess.Popen(  # the test's own script
                [sys.executable, "-c", lock, str(tmp_path / "crm.db-shm"), seconds],
                stdout=subprocess.PIPE,
            ) as other:
                assert other.stdout is not None
                other.stdout.readline()
                if emptied:
                    patient.empty_log()
                    continue
                try:
                    with pytest.raises(KeysUnavailable, match="in use"):
                        table.empty_log()
                finally:
                    other.kill()


def test_opening_waits_for_another_process_that_is_setting_up(tmp_path: Path) -> None:
    path = tmp_path / "crm.db"
    path.touch(mode=0o600)
    with closing(
        sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    ) as first:
        first.execute("BEGIN IMMEDIATE")
        with (
            closing(KeyTable(path, patience=0.05)) as hasty,
            pytest.raises(KeysUnavailable, match="locked"),
        ):
            hasty.newest("a")
        release = threading.Timer(0.2, first.execute, ("ROLLBACK",))
        release.start()
        with closing(KeyTable(path, patience=LONG)) as patient:
            assert patient.newest("a") is None
        release.join()


def test_a_transaction_that_fails_leaves_nothing(table: KeyTable) -> None:
    row = KeyRow("a", 1, "00", 1, b"x" * 60)
    table.add(row)
    bad = KeyRow("a", 1, "00", 1, None)  # type: ignore[arg-type]  # what SQLite refuses
    fresh = KeyRow("a", 1, "00", 2, b"y" * 60)
    with pytest.raises(CorruptRecord):
        table.rewrap([(row, fresh), (fresh, bad)])
    assert table.all_of("a") == [row]


def test_a_transaction_that_sqlite_rolled_back_is_not_rolled_back_twice() -> None:
    def fill_the_disk(db: sqlite3.Connection) -> None:
        with _transaction(db):
            db.execute("ROLLBACK")
            raise sqlite3.OperationalError("disk is full")

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        with pytest.raises(sqlite3.OperationalError, match="disk"):
            fill_the_disk(memory)
        assert not memory.in_transaction


def test_a_row_destroyed_meanwhile_is_not_rewrapped(table: KeyTable) -> None:
    row = KeyRow("a", 1, "00", 1, b"x" * 60)
    table.add(row)
    table.bury("a", "01")
    assert table.rewrap([(row, KeyRow("a", 1, "00", 2, b"y" * 60))]) == 0
    table.add(KeyRow("a", 2, "02", 1, b"z" * 60))  # nor given a new key
    assert [row.destroyed for row in table.all_of("a")] == [True]
