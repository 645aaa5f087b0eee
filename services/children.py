"""Processes of `letterlock` that are started again whenever they end."""

from __future__ import annotations

import json
import logging
import os
import subprocess  # nosec B404  # our own program, no shell
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from shared.leash import Leash
from shared.logfiles import keep_small
from shared.settings import Settings

LOG: Final = logging.getLogger(__name__)
AGAIN: Final = 1.0  # s before a process that ended is started again
FAREWELL: Final = 15.0  # s a process gets to end


@dataclass(slots=True)
class Child:
    """One process, started again whenever it ends."""

    words: tuple[str, ...]
    process: subprocess.Popen[bytes]
    ended: float = 0.0

    @property
    def serves(self) -> bool:
        """Tell whether it answers questions."""
        return self.words[0] == "rpc"

    @property
    def name(self) -> str:
        """Return what it goes by: its kind and the first it is for, as `rpc crm`."""
        return " ".join(self.words[:2])

    @property
    def log(self) -> str:
        """Return the name of the file in which it tells what it does."""
        return log_of(self.words)

    @property
    def runs(self) -> bool:
        """Tell whether it has not ended."""
        return self.process.poll() is None


class Supervisor:
    """Starts processes of `letterlock`, and starts again what ends."""

    def __init__(self, settings: Settings, keep: Sequence[int] = ()) -> None:
        """Give all children these settings, and open files to keep, such as a lock."""
        self._settings = settings
        self._keep = keep
        self._leash = Leash()
        self._lock = threading.Lock()
        self.children: dict[str, Child] = {}

    def start(self, words: tuple[str, ...], **extra: str) -> Child:
        """Start one process; `extra` variables are for it alone, and once."""
        child = Child(words=words, process=self._spawn(words, extra))
        self.children[child.name] = child
        return child

    def revive(self) -> int:
        """Start again what ended a while ago; return how many. Any thread may."""
        with self._lock:
            return sum(self._revived(child) for child in self.children.values())

    def _revived(self, child: Child) -> bool:
        if child.runs:
            return False
        now = time.monotonic()
        if not child.ended:
            child.ended = now
            told = " ".join(child.words), child.process.returncode, child.log
            LOG.warning("%s ended with %s and is started again; see %s", *told)
            return False
        if now - child.ended < AGAIN:
            return False
        child.process, child.ended = self._spawn(child.words, {}), 0.0
        return True

    def stop(self) -> None:
        """End all, web first, so that nobody is refused half way."""
        for child in reversed(self.children.values()):
            child.process.terminate()
        end = time.monotonic() + FAREWELL
        for child in self.children.values():
            try:
                child.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        self.children.clear()
        self._leash.close()

    def keep_logs_small(self) -> None:
        """Cut off what is old of logs that have grown too long."""
        for child in list(self.children.values()):
            with suppress(OSError):  # removed by hand; or a full disk, told elsewhere
                keep_small(self._settings.folder.run / child.log)

    def _spawn(
        self, words: tuple[str, ...], extra: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        log = self._settings.folder.run / log_of(words)
        program = ["-m", "services", *words]
        if words[0] == "rpc":  # what `letterlock rpc` becomes
            variables = json.dumps({**self._settings.env(), **extra})
            program = ["-m", "services.rpc", words[1], variables]
        with log.open("ab") as out:
            return self._leash.start(
                [sys.executable, *program],
                env={
                    "PATH": os.defpath,
                    "LANG": "C.UTF-8",
                    "PYTHONDONTWRITEBYTECODE": "1",
                    **self._settings.env(),
                    **extra,
                },
                out=out,
                keep=self._keep,
            )


def log_of(words: Sequence[str]) -> str:
    """Return the name of the file in which a process tells what it does."""
    return f"{'-'.join(words[:2])}.log"
