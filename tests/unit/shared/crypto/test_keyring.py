"""A service's keys: sealed things open for it, until the key is destroyed."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from shared.codec import HOUSE, Place
from shared.crypto import datakeys
from shared.crypto.kek import KeyMissing, create_kek
from shared.crypto.keydb import KeyRow, KeysUnavailable, KeyTable
from shared.crypto.keyring import KeyDestroyed, Keyring
from shared.crypto.seal import place_of_blob, place_of_row, subkey
from shared.crypto.tombstones import Tombstones
from shared.errors import Fault
from shared.eventstore.port import CorruptRecord
from tests.unit.shared.crypto.conftest import OpenKeyring

ANNA, BORIS = "a" * 32, "b" * 32
NAME = Place(
    stream="crm.contact-1", event_id="e1", type_name="ContactCreated", field="name"
)
ROW = place_of_row("contact", ANNA, "name")
ONE_FOLDER = settings(
    suppress_health_check=(
        *settings().suppress_health_check,
        HealthCheck.function_scoped_fixture,
    )
)


@ONE_FOLDER
@given(plain=st.binary(max_size=2000))
def test_sealed_values_come_out_unchanged(keyring: Keyring, plain: bytes) -> None:
    assert keyring.unseal(ANNA, NAME, keyring.seal(ANNA, NAME, plain)) == plain
    value = keyring.seal_value(ANNA, ROW, plain)
    assert len(value) == len(plain) + 33
    assert keyring.unseal_value(ANNA, ROW, value) == plain


@pytest.mark.parametrize("part", ["stream", "event_id", "type_name", "field"])
def test_a_value_moved_to_another_place_does_not_open_and_is_named(
    keyring: Keyring, part: str
) -> None:
    sealed = keyring.seal(ANNA, NAME, b"Anna")
    elsewhere = dataclasses.replace(NAME, **{part: "other"})
    with pytest.raises(CorruptRecord, match="other"):
        keyring.unseal(ANNA, elsewhere, sealed)


def test_a_value_of_another_contact_or_service_does_not_open(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path
) -> None:
    keyring.ensure(BORIS)
    sealed = keyring.seal(ANNA, NAME, b"Anna")
    with pytest.raises(CorruptRecord):
        keyring.unseal(BORIS, NAME, sealed)
    with pytest.raises(CorruptRecord):
        open_keyring("audit", folder / "crm.db").unseal(ANNA, NAME, sealed)
    with pytest.raises(KeyMissing, match="no key for"):
        open_keyring("envelope").unseal(ANNA, NAME, sealed)


@ONE_FOLDER
@given(data=st.data())
def test_every_changed_bit_of_a_value_is_found_and_named(
    keyring: Keyring, data: st.DataObject
) -> None:
    value = bytearray(keyring.seal_value(ANNA, ROW, b"Anna"))
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CorruptRecord, match=f"{ANNA} contact.name"):
        keyring.unseal_value(ANNA, ROW, bytes(value))


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x01abc", b"\x02" * 40])
def test_what_was_never_sealed_is_no_value(keyring: Keyring, value: bytes) -> None:
    keyring.ensure(ANNA)
    with pytest.raises(CorruptRecord):
        keyring.unseal_value(ANNA, place_of_blob("b1"), value)


@ONE_FOLDER
@given(
    plain=st.lists(st.binary(max_size=50), max_size=8),
    whose=st.lists(st.sampled_from("pqr"), min_size=8, max_size=8),
)
def test_a_column_opens_as_its_rows_do_one_by_one(
    keyring: Keyring, plain: list[bytes], whose: list[str]
) -> None:
    rows = [
        (
            owner * 32,
            f"row-{number}",
            keyring.seal_value(owner * 32, _row(number), value),
        )
        for number, (owner, value) in enumerate(zip(whose, plain, strict=False))
    ]
    assert keyring.unseal_column("contact", "name", rows) == plain
    keyring.renew("q" * 32)  # what is sealed by now is under an older key
    assert keyring.unseal_column("contact", "name", rows) == plain
    assert plain == [
        keyring.unseal_value(owner, _row(number), sealed)
        for number, (owner, _, sealed) in enumerate(rows)
    ]


def test_of_the_erased_a_column_opens_nothing(
    keyring: Keyring, open_keyring: OpenKeyring
) -> None:
    rows = [
        (who, f"row-{number}", keyring.seal_value(who, _row(number), b"x"))
        for number, who in enumerate([ANNA, BORIS, ANNA])
    ]
    assert keyring.unseal_column("contact", "name", rows) == [b"x", b"x", b"x"]
    open_keyring().destroy(ANNA)  # in another process
    assert keyring.unseal_column("contact", "name", rows) == [None, b"x", None]
    assert keyring.unseal_column("contact", "name", []) == []


@pytest.mark.parametrize("owner", [ANNA, BORIS])
@pytest.mark.parametrize(
    ("row", "value"),
    [("row-2", None), ("row-1", b""), ("row-1", b"\x02" * 40), ("row-1", b"\x01abc")],
)
def test_a_column_refuses_in_the_same_words_as_its_rows(
    keyring: Keyring, owner: str, row: str, value: bytes | None
) -> None:
    sealed = keyring.seal_value(ANNA, _row(1), b"x")
    asked = (owner, row, sealed if value is None else value)
    place = place_of_row("contact", row, "name")
    with pytest.raises(Fault) as one_by_one:
        keyring.unseal_value(owner, place, asked[2])
    with pytest.raises(type(one_by_one.value)) as together:
        keyring.unseal_column("contact", "name", [(ANNA, "row-1", sealed), asked])
    assert str(together.value) == str(one_by_one.value)


@ONE_FOLDER
@given(data=st.data())
def test_every_changed_bit_of_a_column_is_found_and_named(
    keyring: Keyring, data: st.DataObject
) -> None:
    value = bytearray(keyring.seal_value(ANNA, _row(1), b"Anna"))
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CorruptRecord, match=r"row-1 contact\.name"):
        keyring.unseal_column("contact", "name", [(ANNA, "row-1", bytes(value))])


def test_a_column_of_another_table_does_not_open(keyring: Keyring) -> None:
    rows = [(ANNA, "row-1", keyring.seal_value(ANNA, _row(1), b"x"))]
    for table, column in (("contacts", "name"), ("contact", "names")):
        with pytest.raises(CorruptRecord, match=f"{table}.{column}: altered"):
            keyring.unseal_column(table, column, rows)


def _row(number: int) -> Place:
    return place_of_row("contact", f"row-{number}", "name")


def test_values_outlive_the_process(
    keyring: Keyring, open_keyring: OpenKeyring
) -> None:
    sealed = keyring.seal(ANNA, NAME, b"Anna")
    keyring.close()
    assert open_keyring().unseal(ANNA, NAME, sealed) == b"Anna"


def test_a_destroyed_key_opens_nothing_and_is_never_minted_again(
    keyring: Keyring,
) -> None:
    sealed = keyring.seal(ANNA, NAME, b"Anna")
    assert keyring.has(ANNA)
    assert not keyring.is_destroyed(ANNA)
    assert keyring.destroy(ANNA)
    assert not keyring.destroy(ANNA)
    assert not keyring.has(ANNA)
    assert keyring.is_destroyed(ANNA)
    assert keyring.unseal(ANNA, NAME, sealed) is None
    for use in (keyring.ensure, keyring.renew):
        with pytest.raises(KeyDestroyed, match="erased"):
            use(ANNA)
    with pytest.raises(KeyDestroyed):
        keyring.seal(ANNA, NAME, b"Anna")


def test_one_process_sees_at_once_what_another_destroyed(
    keyring: Keyring, open_keyring: OpenKeyring
) -> None:
    other = open_keyring()
    sealed = other.seal(ANNA, NAME, b"Anna")
    held = other._keys._held[ANNA, 1].key
    assert keyring.unseal(ANNA, NAME, sealed) == b"Anna"
    keyring.destroy(ANNA)
    assert other.unseal(ANNA, NAME, sealed) is None
    assert held == bytes(32)  # overwritten, not only let go
    with pytest.raises(KeyDestroyed):
        other.seal(ANNA, NAME, b"Anna")


def test_who_never_had_a_key_can_be_erased_too(keyring: Keyring) -> None:
    assert not keyring.has(ANNA)
    assert not keyring.is_destroyed(ANNA)
    assert keyring.destroy(ANNA)
    with pytest.raises(KeyDestroyed):
        keyring.ensure(ANNA)


def test_the_house_is_not_erased_and_owners_are_plain_names(keyring: Keyring) -> None:
    with pytest.raises(ValueError, match="house"):
        keyring.destroy(HOUSE)
    for owner in ("", "Anna Smith", "anna@example.org", "x" * 81):
        with pytest.raises(ValueError, match="contact id"):
            keyring.seal(owner, NAME, b"Anna")
        with pytest.raises(ValueError, match="contact id"):
            keyring.destroy(owner)


def test_a_restored_key_backup_forgets_the_erased_again(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path, tombstones: Tombstones
) -> None:
    sealed = keyring.seal(ANNA, NAME, b"Anna")
    kept = keyring.seal(BORIS, NAME, b"Boris")
    keyring.close()
    backup = (folder / "crm.db").read_bytes()
    keyring.destroy(ANNA)
    keyring.close()
    (folder / "crm.db").write_bytes(backup)
    restored, neighbour = open_keyring(), open_keyring("envelope")
    assert restored.replay_tombstones() == 1
    assert restored.replay_tombstones() == 0
    assert restored.unseal(ANNA, NAME, sealed) is None
    assert restored.unseal(BORIS, NAME, kept) == b"Boris"
    assert neighbour.replay_tombstones() == 1  # every service heeds the list
    assert neighbour.is_destroyed(ANNA)
    assert tombstones.owners() == [ANNA]


def test_nothing_is_destroyed_unless_it_is_on_the_list(
    keyring: Keyring, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(service: str, owner: str) -> None:
        del service, owner
        raise OSError(28, "No space left on device")

    keyring.ensure(ANNA)
    with monkeypatch.context() as patched:
        patched.setattr(keyring._tombstones, "add", full)
        with pytest.raises(KeysUnavailable, match="No space"):
            keyring.destroy(ANNA)
    (folder.parent / "tombstones.log").rename(folder / "elsewhere")
    with pytest.raises(KeyMissing):
        keyring.destroy(ANNA)
    assert keyring.has(ANNA)


def test_a_renewed_key_seals_anew_and_old_values_stay_readable(
    keyring: Keyring,
) -> None:
    old = keyring.seal(ANNA, NAME, b"before")
    keyring.renew(ANNA)
    new = keyring.seal(ANNA, NAME, b"after")
    assert old.key_id != new.key_id
    assert keyring.unseal(ANNA, NAME, old) == b"before"
    assert keyring.unseal(ANNA, NAME, new) == b"after"
    keyring.destroy(ANNA)
    assert keyring.unseal(ANNA, NAME, old) is None


def test_purpose_keys_stay_the_same_whatever_becomes_of_the_house_key(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path
) -> None:
    link = keyring.derive("link")
    assert len(link) == 32
    keyring.renew(HOUSE)
    create_kek(folder)
    keyring.rewrap()
    assert open_keyring().derive("link") == link
    assert keyring.derive("code") != link
    assert open_keyring("envelope").derive("link") != link


def test_more_keys_than_are_held_open_still_work(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datakeys, "HELD", 2)
    owners = [f"{number:032x}" for number in range(5)]
    sealed = {owner: keyring.seal(owner, NAME, owner.encode()) for owner in owners}
    assert len(keyring._keys._held) == 2
    for owner in owners:
        assert keyring.unseal(owner, NAME, sealed[owner]) == owner.encode()


def test_a_key_overwritten_by_another_thread_is_opened_afresh(
    keyring: Keyring,
) -> None:
    sealed = keyring.seal(ANNA, NAME, b"Anna")
    keyring._keys._held[ANNA, 1].key[:] = bytes(32)
    assert keyring.unseal(ANNA, NAME, sealed) == b"Anna"


@pytest.mark.parametrize(
    ("column", "value"),
    [("generation", 2), ("key_id", "'00000000'"), ("wrapped", "zeroblob(59)")],
)
def test_an_altered_key_row_is_found_and_named(
    keyring: Keyring, folder: Path, column: str, value: str
) -> None:
    keyring.ensure(ANNA)
    alter(folder, f"{column} = {value}")
    with pytest.raises(CorruptRecord, match=f"of {ANNA}"):
        keyring.seal(ANNA, NAME, b"Anna")
    assert [ANNA in line for line in keyring.faults()] == [True]


def test_every_changed_bit_of_a_wrapped_key_is_found(
    keyring: Keyring, folder: Path
) -> None:
    sealed = keyring.seal(ANNA, NAME, b"Anna")
    good = keyring._table.all_of(ANNA)[0].wrapped
    for bit in range(len(good) * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        alter(folder, f"wrapped = x'{bad.hex()}'")
        with pytest.raises(CorruptRecord, match=ANNA):
            keyring.unseal(ANNA, NAME, sealed)


def test_a_changed_bit_of_a_tombstone_does_not_bring_a_key_back(
    keyring: Keyring, folder: Path
) -> None:
    keyring.destroy(ANNA)
    alter(folder, f"wrapped = x'01{'00' * 59}'")
    assert keyring.faults() != []
    with pytest.raises((CorruptRecord, KeyMissing), match=ANNA):
        keyring.seal(ANNA, NAME, b"Anna")


def test_a_key_under_an_absent_kek_is_named(keyring: Keyring, folder: Path) -> None:
    keyring.ensure(ANNA)
    alter(folder, "kek = 9")
    with pytest.raises(KeyMissing, match=rf"of {ANNA}: .*kek-9"):
        keyring.seal(ANNA, NAME, b"Anna")
    assert "kek-9" in keyring.faults()[0]


def test_a_sound_database_has_no_faults_and_a_broken_one_is_named(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path
) -> None:
    keyring.ensure(ANNA)
    keyring.destroy(BORIS)
    assert keyring.faults() == []
    keyring.close()
    with (folder / "crm.db").open("r+b") as file:
        file.seek(36)  # how many free pages there are
        file.write(b"\0\0\0\x05")
    assert "crm.db" in open_keyring().faults()[0]


def test_a_mint_that_left_no_row_is_a_fault(keyring: Keyring, folder: Path) -> None:
    class Forgetful(KeyTable):
        @override
        def add(self, row: KeyRow) -> None:
            del row

    keyring._table = Forgetful(folder / "other.db")
    with pytest.raises(CorruptRecord, match="just written"):
        keyring.ensure(ANNA)
    keyring.close()


def test_a_derived_key_comes_from_the_houses_first_key(keyring: Keyring) -> None:
    link = keyring.derive("link")
    first = keyring._table.all_of(HOUSE)[0]
    assert link == subkey(keyring._keys.unwrap(first), "link")


def alter(folder: Path, change: str) -> None:
    db = sqlite3.connect(folder / "crm.db")
    with db:
        db.execute(f"UPDATE data_key SET {change}")  # noqa: S608  # the test's own
    db.close()
