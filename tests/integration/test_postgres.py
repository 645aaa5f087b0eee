"""The main job with its facts on a PostgreSQL server, and a process patched for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.__main__ import main
from services.compose import opened
from services.console import Console
from services.walk import Walk, sealed_at_rest
from tests.journeys.judge import all_facts, judge
from tests.postgres.server import Server, private_server
from tests.systems import a_system, worker_port_base
from tests.waiting import LONG

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]

PATCHED = """
import sys
from importlib import import_module
from pathlib import Path
from shared.messaging.native import Native
native = Native(12)
with native.modules():
    postgres = import_module("shared.eventstore.postgres")
    builders = import_module("tests.builders")
native.check()
assert import_module("psycopg.waiting").select is native._originals["select"]
import eventlet
address = postgres.Address.from_uri(sys.argv[1], credentials=Path(sys.argv[2]))
journal = postgres.PostgresJournal(address, patience=60)

def write(stream):
    version = -1
    for _ in range(10):
        version = journal.append(stream, [builders.raw()], expected=version).version
    return version

greens = [eventlet.spawn(native.call, write, f"s-{n}") for n in range(10)]
with eventlet.Timeout(60):
    assert [green.wait() for green in greens] == [9] * 10
assert native.call(journal.wait, 99, 1.0)
assert len(native.call(journal.read_all, 0, 1000)) == 100
# Only if green threads go on while a native call blocks can this one append.
late = eventlet.spawn_after(0.3, native.call, write, "late")
with eventlet.Timeout(90):
    assert native.call(journal.wait, 100, 60.0)
assert late.wait() == 9
native.call(journal.close)
print("well")
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with private_server() as started:
        yield started


def assert_no_new_key(
    folder: Path, where: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """See that no first key is made while the server holds facts of lost ones."""
    for name, value in where.items():
        os.environ[f"LETTERLOCK_{name}"] = value
    try:
        init = ["init", "--admin", "Ada Quill", "--email", "a@example.org"]
        run = ["run", "--demo", "--port-base", str(worker_port_base())]
        for words in (init, run):
            assert main([*words, "--data", str(folder)]) == 2
            assert "holds facts already" in capsys.readouterr().err
    finally:
        for name in where:
            del os.environ[f"LETTERLOCK_{name}"]
    assert [*folder.rglob("kek-*")] == []


def test_every_check_of_the_walk_holds(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = {
        "STORE_URI": server.store("town"),
        "STORE_ACCOUNT_FILE": str(server.account(tmp_path)),
    }
    with a_system(tmp_path, **where) as system:
        told = Walk(
            system.running, system.ids, system.sign_in_link("anna"), Console(quiet=True)
        ).go()
    assert told.checks
    assert {name for name, held in told.checks.items() if not held} == set()
    assert sealed_at_rest(system.settings.data)
    assert not system.settings.folder.store.exists()
    with opened(system.settings) as core:
        facts = all_facts(core.store)
    assert len(facts) > 30
    assert judge(facts) == []
    assert_no_new_key(tmp_path / "later", where, capsys)
    with server.owner("town") as owner:
        kept = owner.execute(
            "SELECT string_agg(convert_from(body || meta, 'UTF8'), '')"
            " FROM letterlock.events"
        ).fetchone()
    assert kept
    for private in ("Jones", "zz1 1aa", "people.example"):
        assert private not in kept[0]


def test_a_patched_process_appends_reads_and_waits(
    server: Server, tmp_path: Path
) -> None:
    words = [server.store("patched"), server.account(tmp_path)]
    told = subprocess.run(
        [sys.executable, "-c", PATCHED, *words],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=2 * LONG,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-3000:]
    assert told.stdout == "well\n"


def test_the_layout_that_the_command_prints_makes_a_store(
    server: Server, tmp_path: Path
) -> None:
    words = ["store-layout", "--account", "letterlock"]
    told = subprocess.run(
        [sys.executable, "-m", "services", *words],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=2 * LONG,
    )  # fmt: skip
    server.store("printed")
    with server.owner("printed") as owner:
        owner.execute("DROP SCHEMA letterlock CASCADE")
        owner.execute(told.stdout.encode())
        found = owner.execute("SELECT format FROM letterlock.layout").fetchone()
    assert found == (1,)
