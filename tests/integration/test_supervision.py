"""`letterlock run-distributed` as a person meets it: twice, killed, and in the way."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.brokerage import OPERATOR
from services.children import Supervisor
from services.ground import SERVICES
from services.ports import ports_of_broker, ports_of_sites
from services.supervisor import LOCK
from services.talking import broker_of
from shared.fence import Fence
from shared.logfiles import MOST
from shared.messaging.names import queue_of
from shared.messaging.node import NoBroker, Node
from shared.messaging.rabbit.broker import readers
from shared.settings import Settings
from tests.messaging.broker import fresh_settings
from tests.waiting import LONG, until

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
RUNNING = "Stop with Ctrl+C."


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return fresh_settings(tmp_path)


def started(settings: Settings, *words: str, told: Path) -> subprocess.Popen[bytes]:
    """Start a verb; everything it says is in the file `told`."""
    with told.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "services", *words],
            cwd=ROOT, env=settings.env(), stdout=out, stderr=out,
        )  # fmt: skip


def refused(settings: Settings, *words: str) -> str:
    """Run a verb that does not start; return what it said."""
    told = settings.data.parent / "refused.txt"
    assert started(settings, *words, told=told).wait(LONG) == 2
    assert "Traceback" not in told.read_text()
    return told.read_text()


@pytest.fixture
def taken(settings: Settings) -> Iterator[int]:
    """Let a foreign program listen where the viewer wants to."""
    with closing(socket.create_server(("127.0.0.1", settings.viewer_port))):
        yield settings.viewer_port


@pytest.mark.parametrize("words", [("run",), ("run-distributed",), ("web", "viewer")])
def test_a_foreign_program_on_a_port_is_told_before_anything_starts(
    settings: Settings, taken: int, words: tuple[str, ...]
) -> None:
    told = refused(settings, *words)
    assert f"a port is taken: {taken} for the viewer\n" in told
    assert "LETTERLOCK_PORT_BASE" in told
    assert not (settings.data / "broker").exists()


def test_a_foreign_program_on_the_brokers_port_is_not_taken_for_the_broker(
    settings: Settings,
) -> None:
    with closing(socket.create_server(("127.0.0.1", settings.broker_port + 2))):
        told = refused(settings, "run-distributed")
    assert f"{settings.broker_port + 2} for its port mapper\n" in told
    assert "LETTERLOCK_BROKER_PORT" in told


def test_a_node_is_not_begun_where_another_program_listens(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(NoBroker, match=f"another program listens on port {port}"):
            Node(tmp_path, port, {}).start()


def test_a_process_that_ends_is_told_by_all_that_it_is_for(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor(settings)
    child = supervisor.start(("follow", "letters", "nothing"))
    first = child.process
    try:
        assert first.wait(LONG) == 2
        until(lambda: supervisor.revive() == 1, "the next start")
        assert child.process.pid != first.pid
    finally:
        supervisor.stop()
    [told] = caplog.messages
    assert told.startswith("follow letters nothing ended with 2 and is started again")
    assert told.endswith("see follow-letters.log")
    assert "nothing" in (settings.folder.run / child.log).read_text()


def test_the_log_of_a_process_is_kept_small(settings: Settings) -> None:
    supervisor = Supervisor(settings)
    log = settings.folder.run / "web-nothing.log"
    log.write_bytes(b"a" * (MOST + 1))
    supervisor.start(("web", "nothing"))
    supervisor.start(("web", "no log")).process.wait(LONG)
    (settings.folder.run / "web-no log.log").unlink()
    try:
        supervisor.keep_logs_small()
    finally:
        supervisor.stop()
    assert log.stat().st_size < MOST
    assert (settings.folder.run / "web-nothing.log.1").stat().st_size == MOST


def children_of(settings: Settings, supervisor: int) -> set[int]:
    """Return the processes that hold the lock of a start, but for itself."""
    return {*Fence(settings.folder.run / LOCK).holders()} - {supervisor}


def test_one_start_alone_serves_a_folder_and_all_of_it_comes_and_goes_together(
    settings: Settings, tmp_path: Path
) -> None:
    told = tmp_path / "told.txt"
    process = started(settings, "run-distributed", told=told)
    try:
        until(
            lambda: RUNNING in told.read_text() or process.poll() is not None,
            "the start",
            patience=4 * LONG,
        )
        assert process.poll() is None, told.read_text()
        children = children_of(settings, process.pid)
        assert len(children) > len(SERVICES)

        # A second start goes, and takes nothing with it.
        said = refused(settings, "run-distributed")
        assert f"{settings.data} is being served already" in said
        assert set(map(int, re.findall(r"\d+", said.partition("kill ")[2]))) == {
            process.pid,
            *children,
        }
        assert children_of(settings, process.pid) == children

        # The broker comes back when it dies, and is used again.
        node = int((settings.data / "broker" / "node.pid").read_text())
        assert node in children
        os.kill(node, signal.SIGKILL)
        until(lambda: "RabbitMQ ended and is started again" in told.read_text())
        queues = [queue_of(service) for service in SERVICES]
        user = broker_of(settings, OPERATOR)
        until(lambda: all(readers(user, queues)), "the services", patience=4 * LONG)
        assert process.poll() is None
    finally:
        # Nothing is left when the first of them is gone, and the next start may begin.
        process.kill()
        process.wait()
    until(lambda: not children_of(settings, process.pid), "the end of all")
    Fence(settings.folder.run / LOCK).take()
    wanted = [*ports_of_sites(settings), *ports_of_broker(settings)]
    assert [port for port in wanted if port.taken] == []
