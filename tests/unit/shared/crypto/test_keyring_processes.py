"""Several processes and threads share one key database and may die at any moment."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shared.codec import Place
from shared.crypto.kek import create_kek
from shared.crypto.keyring import KeyDestroyed, Keyring
from tests.unit.shared.crypto.conftest import OpenKeyring
from tests.waiting import LONG, until

NAME = Place(stream="crm.contact-1", event_id="e1", type_name="Created", field="name")
PREAMBLE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shared.codec import Place
from shared.crypto.kek import Keks
from shared.crypto.keyring import Keyring
from shared.crypto.tombstones import Tombstones
folder = Path(sys.argv[1])
keks = Keks(folder)
keyring = Keyring("crm", folder / "crm.db", keks=keks,
                  tombstones=Tombstones(folder.parent / "tombstones.log", keks))
keyring._table._patience = 60
place = Place(stream="crm.contact-1", event_id="e1", type_name="Created", field="name")
"""
MINT = """
print("ready", flush=True)
sys.stdin.readline()
def seal(number):
    owner = f"{number % 40:032x}"
    sealed = keyring.seal(owner, place, b"x")
    assert keyring.unseal(owner, place, sealed) == b"x"
    return f"{owner} {sealed.key_id}"
with ThreadPoolExecutor(8) as pool:
    print("\\n".join(pool.map(seal, range(400))))
"""
REWRAP = """
import os, signal
left = int(sys.argv[2])  # batches to live
commit = keyring._table.rewrap
def dying(pairs):
    global left
    done, left = commit(pairs), left - 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return done
keyring._table.rewrap = dying
print("ready", flush=True)
keyring.rewrap(batch=1)
"""


def child(script: str, folder: Path, *words: str) -> subprocess.Popen[str]:
    started = subprocess.Popen(  # the test's own script
        [sys.executable, "-c", PREAMBLE + script, str(folder), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def test_processes_and_threads_that_mint_at_once_agree_on_one_key(
    keyring: Keyring, folder: Path
) -> None:
    children = [child(MINT, folder) for _ in range(2)]
    for one in children:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    used = {line for one in children for line in one.communicate()[0].splitlines()}
    assert [one.returncode for one in children] == [0, 0]
    assert len(used) == 40  # pairs of owner and key: one key for each of 40 owners
    assert keyring.faults() == []


def test_a_rotation_killed_at_any_point_leaves_every_key_readable(
    keyring: Keyring, open_keyring: OpenKeyring, folder: Path
) -> None:
    owners = [f"{number:032x}" for number in range(300)]
    sealed = {owner: keyring.seal(owner, NAME, owner.encode()) for owner in owners}
    create_kek(folder)
    dice = random.Random(7)  # noqa: S311  # a schedule, not a secret
    for batches in ("1", "50", "120", "0", "0"):
        one = child(REWRAP, folder, batches)
        if batches == "0":
            time.sleep(dice.uniform(0, 0.02))
            one.kill()
        one.communicate()
        for reader in (keyring, open_keyring()):  # one with keys open, one afresh
            for owner in owners:
                assert reader.unseal(owner, NAME, sealed[owner]) == owner.encode()
        if batches != "0":
            old = [row for page in keyring._table.pages(99) for row in page]
            assert [row.kek for row in old].count(2) == int(batches)
    keyring.rewrap()
    assert keyring.rewrap() == 0
    (folder / "kek-1").unlink()
    assert open_keyring().faults() == []


def test_threads_that_seal_while_a_key_is_destroyed_never_use_another_key(
    keyring: Keyring, open_keyring: OpenKeyring
) -> None:
    owner = "a" * 32
    keyring.ensure(owner)
    key = keyring._keys.unwrap(keyring._table.all_of(owner)[0])
    seen: list[bytes] = []

    def work(number: int) -> None:
        del number
        try:
            while True:
                row = keyring._current(owner)
                seen.append(keyring._keys.open(row))
        except KeyDestroyed:
            return

    with ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(work, number) for number in range(8)]
        until(lambda: len(seen) >= 100, "keys")
        open_keyring().destroy(owner)
        for task in tasks:
            task.result(timeout=LONG)
    assert set(seen) == {key}
