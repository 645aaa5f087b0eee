"""Programs that end when whoever started them does, however that ends.

The system ties a child to the thread that started it, not to the process. So one thread
starts all of a leash's children, and lives as long as the leash.
"""

from __future__ import annotations

import shutil
import subprocess  # nosec B404  # our callers' fixed words, no shell
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final, Literal

from shared.errors import Fault

HOLDER: Final = "setpriv"  # becomes the program once the system knows what to do


class NoLeash(Fault):
    """What ties programs to us is missing; install Debian's package util-linux."""


class Leash:
    """Starts children; what is left of them ends with this process, or with `close`."""

    def __init__(self) -> None:
        """Hold nobody yet."""
        self._thread = ThreadPoolExecutor(1, "leash")

    def start(
        self,
        words: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        out: IO[bytes] | None = None,
        cwd: Path | None = None,
        keep: Sequence[int] = (),
        apart: bool = False,
        ends_by: Literal["KILL", "TERM"] = "KILL",
    ) -> subprocess.Popen[bytes]:
        """Start a program; its pid is that of the child.

        Args:
            words: program and arguments.
            env: all the variables it has.
            out: where it writes, errors too; nowhere if None.
            cwd: where it runs; here if None.
            keep: open files that it inherits.
            apart: whether it leads a session and process group of its own.
            ends_by: the signal that it gets when this process is gone.

        Raises:
            NoLeash: the program that ties children is not installed.
            OSError: the system could not start a child.
        """
        holder = shutil.which(HOLDER)
        if holder is None:
            raise NoLeash((NoLeash.__doc__ or "").strip())

        def born() -> subprocess.Popen[bytes]:
            return subprocess.Popen(  # noqa: S603  # nosec B603  # our own words
                [holder, "--pdeathsig", ends_by, "--", *words],
                env=env,
                cwd=cwd,
                start_new_session=apart,
                pass_fds=keep,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if out is None else out,
                stderr=subprocess.DEVNULL if out is None else out,
            )

        return self._thread.submit(born).result()

    def close(self) -> None:
        """End what still runs; others may be started after."""
        self._thread.shutdown()
        self._thread = ThreadPoolExecutor(1, "leash")
