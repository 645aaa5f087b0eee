"""Telling of an error without its text, which may hold what is private."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path


def frames_of(error: BaseException) -> str:
    """Return file and line of each frame, innermost first: no values."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames)
    )


def log_place(log: logging.Logger, what: str, error: BaseException) -> None:
    """Write one line: what failed, the type of the error, where it came from."""
    log.error("%s: %s at %s", what, type(error).__name__, frames_of(error))
