"""A child ends with whoever started it, and with nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from shared.fence import AlreadyFollowed, Fence
from shared.leash import Leash
from tests.waiting import LONG, until

ROOT = Path(__file__).parents[3]
PARENT = """
import sys, time
from pathlib import Path
from shared.fence import Fence
from shared.leash import Leash

fence = Fence(Path(sys.argv[1]))
fence.take()
leash = Leash()
child = leash.start(["/bin/sleep", "600"], env={}, keep=[fence.file])
print(child.pid, flush=True)
time.sleep(600)
"""


def lives(pid: int) -> bool:
    """Say whether a process runs; one that is dead and not yet buried does not."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except OSError:
        return False


def test_a_child_ends_when_its_parent_is_killed_and_the_lock_with_it(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "lock"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, lock], cwd=ROOT, stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert Fence(lock).holders() == sorted((parent.pid, child))
        parent.kill()
    until(lambda: not lives(child), "the end of the child")
    Fence(lock).take()


def test_a_lock_that_a_child_inherited_keeps_others_out_as_long_as_it_lives(
    tmp_path: Path,
) -> None:
    leash, fence, other = Leash(), Fence(tmp_path / "a"), Fence(tmp_path / "a")
    fence.take()
    child = leash.start(["/bin/sleep", "600"], env={}, keep=[fence.file])
    fence.release()
    assert other.holders() == [child.pid]
    try:
        other.take()
    except AlreadyFollowed:
        leash.close()
    child.wait(LONG)
    other.take()
    assert other.holders() == [os.getpid()]
    other.release()


def test_a_child_outlives_the_thread_that_asked_for_it() -> None:
    leash, born = Leash(), []

    def ask() -> None:
        born.append(leash.start(["/bin/cat", "/dev/zero"], env={}))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    [child] = born
    echo = leash.start(["/bin/true"], env={})
    assert echo.wait(LONG) == 0
    assert child.poll() is None
    leash.close()
    assert child.wait(LONG) < 0
    assert leash.start(["/bin/true"], env={}).wait(LONG) == 0
    leash.close()


def test_a_child_has_the_variables_and_the_output_it_is_given(tmp_path: Path) -> None:
    leash = Leash()
    with (tmp_path / "out").open("wb") as out:
        words = ["/bin/sh", "-c", 'echo "$WORD"; pwd; ls nothing']
        child = leash.start(words, env={"WORD": "plain"}, out=out, cwd=tmp_path)
        assert child.wait(LONG) != 0
    told = (tmp_path / "out").read_text().splitlines()
    assert told[:2] == ["plain", str(tmp_path)]
    assert "nothing" in told[2]
    leash.close()
