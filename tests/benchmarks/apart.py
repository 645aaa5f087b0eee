"""Processes of their own over a private RabbitMQ, for the rows that need them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.brokerage import create_accounts, definitions_of
from services.children import Supervisor
from services.supervisor import await_ready
from shared.messaging.node import Node
from shared.settings import Settings
from tests.benchmarks.system import settings_in

PORTS: Final = 23_000  # where to look for free ones, away from the embedded system's
PEER: Final = "peer"  # user and virtual host of what is measured beside ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """Some processes, their broker, and a place there for peers."""

    settings: Settings
    supervisor: Supervisor
    node: Node
    peers: str  # address of a virtual host where everything is allowed, with password

    def resident(self) -> tuple[int, int]:
        """Return the resident bytes of our processes, and of the broker's."""
        ours = [child.process.pid for child in self.supervisor.children.values()]
        return resident(ours), resident(group(self.node.pid))


@contextmanager
def apart(folder: Path, words: Sequence[tuple[str, ...]]) -> Iterator[Apart]:
    """Run a broker and the processes `words` over a new organisation; end them all."""
    settings = settings_in(folder, PORTS)
    create_accounts(settings)
    password = secrets.token_urlsafe()
    definitions = with_peers(definitions_of(settings), password)
    node = Node(settings.data / "broker", settings.broker_port, definitions)
    supervisor = Supervisor(settings)
    try:
        node.start()
        for each in words:
            supervisor.start(each)
        await_ready(settings, supervisor)
        yield Apart(
            settings=settings,
            supervisor=supervisor,
            node=node,
            peers=f"amqp://{PEER}:{password}@127.0.0.1:{settings.broker_port}/{PEER}",
        )
    finally:
        try:
            supervisor.stop()
        finally:
            node.stop()


def with_peers(definitions: dict[str, Any], password: str) -> dict[str, object]:
    """Add a user who may do everything in a virtual host of its own."""
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return {
        **definitions,
        "vhosts": [*definitions["vhosts"], {"name": PEER}],
        "users": [
            *definitions["users"],
            {"name": PEER, "password": password, "tags": ""},
        ],
        "permissions": [
            *definitions["permissions"],
            {"user": PEER, "vhost": PEER, **everything},
        ],
    }


def resident(pids: Iterable[int]) -> int:
    """Return the resident bytes of processes; what ended counts nothing."""
    return sum(_field(pid, "VmRSS") * 1024 for pid in pids)


def _field(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(li.split()[1]) for li in lines if li.startswith(f"{name}:")), 0)


def group(leader: int) -> list[int]:
    """Return the processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[2]) == leader:
            found.append(int(path.parent.name))
    return found
