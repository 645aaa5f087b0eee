"""What one process writes, another sees, whoever opened and closed the file meanwhile.

SQLite's locks belong to the process and vanish when it closes any handle on the file.
A process that lost them goes on writing to a log that another one has deleted.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import LONG

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]

COMMON = """
import sys
from contextlib import ExitStack
from pathlib import Path
from shared.crypto.keydb import KeyRow, KeyTable
from shared.eventstore.sqlite import SqliteJournal
from shared.readmodel import ReadModel, open_readmodel, set_position
from tests.builders import raw

folder = Path(sys.argv[1])
store, keys, model = folder / "store.db", folder / "keys.db", folder / "model.db"

def row(owner):
    return KeyRow(owner=owner, generation=1, key_id="0" * 8, kek=1, wrapped=b"w" * 40)
"""

WRITER = (
    COMMON
    + """
first, table = SqliteJournal(store), KeyTable(keys)
reads = ReadModel(open_readmodel(model))
reads.create([])
first.append("a", [raw()], expected=-1)
table.add(row("aa"))
with reads.begin() as connection:
    set_position(connection, "a", 1)
# The same files once more in this process, as a second service or thread opens them.
second, again = SqliteJournal(store), ReadModel(open_readmodel(model))
second.append("b", [raw()], expected=-1)
with table._lent() as one, table._lent() as two:
    assert one is not two
assert again.position("a") == 1
print("ready", flush=True)
sys.stdin.readline()  # another process opens and closes all
first.append("a", [raw()], expected=0)
table.add(row("bb"))
with reads.begin() as connection:
    set_position(connection, "a", 2)
print("written", flush=True)
sys.stdin.readline()
"""
)

VISITOR = (
    COMMON
    + """
journal, table = SqliteJournal(store), KeyTable(keys)
reads = ReadModel(open_readmodel(model))
seen = len(journal.read_all(0, 10)), table.newest("bb") is not None
print(*seen, reads.position("a"))
table.empty_log()
for opened in (journal, table, reads):
    opened.close()
"""
)


def test_a_visitor_takes_nothing_from_a_writer(tmp_path: Path) -> None:
    def visit() -> str:
        return subprocess.run(
            [sys.executable, "-c", VISITOR, tmp_path],
            cwd=ROOT, capture_output=True, text=True, check=True, timeout=2 * LONG,
        ).stdout.strip()  # fmt: skip

    with subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as writer:  # fmt: skip
        assert writer.stdin
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
        assert visit() == "2 False 1"
        writer.stdin.write("\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "written\n"
        assert visit() == "3 True 2"
        writer.stdin.write("\n")
        writer.stdin.close()
    assert visit() == "3 True 2"
