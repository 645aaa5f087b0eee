"""Logs that other programs append to, kept to a size."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

MOST: Final = 4 * 1024 * 1024  # bytes


def keep_small(log: Path, most: int = MOST) -> bool:
    """Empty a log that has grown past `most` bytes; True if it was.

    Its last `most` bytes stay beside it, in `<name>.1`, instead of those of the time
    before. The writer goes on in the same file, which it opened to append; a line that
    it writes at this very moment may be lost.

    Raises:
        OSError: the log is not there, or the disk is full.
    """
    size = log.stat().st_size
    if size <= most:
        return False
    with log.open("rb") as old:
        old.seek(size - most)
        log.with_name(log.name + ".1").write_bytes(old.read(most))
    os.truncate(log, 0)
    return True
