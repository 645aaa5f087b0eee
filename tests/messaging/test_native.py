"""Real threads in a patched process work, and the wrong order refuses to start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import LONG

ROOT = Path(__file__).parents[2]

START = """
import sys
from importlib import import_module
from pathlib import Path
from shared.messaging.native import Native, NotNative
"""

RIGHT = (
    START
    + """
native = Native(12)
with native.modules():
    sqlite = import_module("shared.eventstore.sqlite")
    builders = import_module("tests.builders")
    logging = import_module("logging")
    import_module("shared.messaging.rabbit.intake")
logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
native.check()
native.free_logging()
import eventlet, threading
assert threading.current_thread is not native._originals["threading"].current_thread
journal = sqlite.SqliteJournal(Path(sys.argv[1]))
ticks = []

def tick():
    while True:
        ticks.append(1)
        eventlet.sleep(0.001)

def write(stream):
    version = -1
    for _ in range(20):
        version = journal.append(stream, [builders.raw()], expected=version).version
        logging.getLogger("x").warning("line")
    return version

eventlet.spawn(tick)
greens = [eventlet.spawn(native.call, write, f"s-{n}") for n in range(12)]
with eventlet.Timeout(60):
    assert [green.wait() for green in greens] == [19] * 12
assert native.call(journal.wait, 0, 1.0)
assert len(native.call(journal.read_all, 0, 1000)) == 240
assert ticks
# Only if green threads go on while a native call blocks can this one come back.
bell = native._originals["threading"].Event()
eventlet.spawn(bell.set)
assert native.call(bell.wait, 60)
native.call(journal.close)
print("well")
"""
)

EARLY = (
    START
    + """
import shared.clock
try:
    Native(2)
except NotNative as refused:
    print("well", refused)
"""
)

BESIDE = (
    START
    + """
native = Native(2)
import shared.eventstore.sqlite  # while the patched modules stand
try:
    native.check()
except NotNative as refused:
    print("well", refused)
"""
)

LATE = (
    START
    + """
native = Native(2)
with native.modules():
    import_module("shared.eventstore.kurrent")
native.check()
late = sys.modules["grpc._channel"]
assert late.threading is native._originals["threading"]
del sys.modules["grpc._channel"]
try:
    native.check()
except NotNative as refused:
    print("well", refused)
"""
)

NOTHING = (
    START
    + """
try:
    Native(2).check()
except NotNative as refused:
    print("well", refused)
"""
)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (RIGHT, "well"),
        (EARLY, "well shared.clock was imported before"),
        (BESIDE, "well shared.eventstore"),
        (LATE, "well grpc._channel would be imported too late"),
        (NOTHING, "well there is no store"),
    ],
    ids=["right", "early", "beside", "late", "nothing"],
)
def test_a_patched_process(tmp_path: Path, script: str, said: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "store.db"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=2 * LONG,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-3000:]
    assert told.stdout.startswith(said)


@pytest.mark.parametrize(
    "module", ["services.compose", "services.embedded", "services.__main__"]
)
def test_the_embedded_profile_loads_no_broker_library(module: str) -> None:
    script = (
        f"import {module}, sys\n"
        "print(sorted({'nameko', 'kombu', 'eventlet', 'amqp'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=2 * LONG,
    )  # fmt: skip
    assert told.stdout.strip() == "[]"
