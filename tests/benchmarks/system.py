"""The whole embedded system, in a process of its own.

Makes an organisation, sends as many letters as each line of its standard input says,
tells their links and how long each took, and serves until that input ends.
`python -m tests.benchmarks.system`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Any, Final

from services.compose import create_data
from services.embedded import running
from services.walk import free_port_base
from shared.settings import Settings
from tests.benchmarks.sending import Sending, Sent

FAREWELL: Final = 20.0  # s the process gets to end


class System:
    """The running system as its parent sees it."""

    def __init__(self, process: Popen[str]) -> None:
        """Wait until it runs. Raises RuntimeError if it does not."""
        self._process = process
        self.viewer: int = self._told()["viewer"]  # port
        self.tokens: list[str] = []  # of the letters sent

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def send(self, letters: int) -> Sent:
        """Let it send so many letters, inside the one process."""
        if self._process.stdin is None:
            raise RuntimeError("the pipe asked for is not there")
        self._process.stdin.write(f"{letters}\n")
        self._process.stdin.flush()
        sent = Sent(**self._told())
        self.tokens += sent.tokens
        return sent

    def _told(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("the system ended; nothing was measured")
        told: dict[str, Any] = json.loads(line)
        return told


@contextmanager
def a_system(folder: Path) -> Iterator[System]:
    """Start the system in a process of its own; stop it at the end."""
    words = [sys.executable, "-m", "tests.benchmarks.system", str(folder)]
    # Ctrl-C is for the parent, which then ends its children in order.
    process = Popen(words, stdin=PIPE, stdout=PIPE, text=True, start_new_session=True)
    try:
        yield System(process)
    finally:
        end(process)


def end(process: Popen[str]) -> None:
    """End the input of a child, and with it the child; by force if it stays."""
    try:
        process.communicate(timeout=FAREWELL)
    except TimeoutExpired:
        process.kill()
        process.communicate()


def settings_in(folder: Path, first_port: int = 18_400) -> Settings:
    """Return settings of a new and empty organisation under `folder`, on free ports."""
    settings = Settings.from_env(
        {
            "LETTERLOCK_DATA": str(folder / "data"),
            "LETTERLOCK_PORT_BASE": str(free_port_base(first_port)),
            "LETTERLOCK_UNDO_SECONDS": "0",
        }
    )
    create_data(settings.folder)
    return settings


def main(folder: Path) -> None:
    """Run the system, tell, serve, send as asked."""
    settings = settings_in(folder)
    with running(settings) as system:
        sending = Sending(system.apis, system.mailbox)
        _tell({"viewer": settings.viewer_port})
        for line in sys.stdin:
            _tell(asdict(sending.send(int(line))))


def _tell(told: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
