"""What the command prints: plain lines or one JSON object, errors in one line."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.crypto.kek import KeyMissing
from shared.errors import Fault
from shared.eventstore.port import CorruptRecord
from shared.fence import AlreadyFollowed
from shared.ports import PortTaken
from shared.readmodel import ReadModelBroken
from shared.settings import SettingsError

TOLD: Final = (SettingsError, Fault, OSError)
"""What may go wrong at a start without being a mistake of ours."""
_RIGHTS: Final = {errno.EACCES, errno.EPERM}
_DISK: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Where a verb speaks."""

    json: bool = False
    quiet: bool = False

    def say(self, line: str = "") -> None:
        """Print a line for a person; silent with --json or --quiet."""
        if not (self.json or self.quiet):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def result(self, line: str, value: Mapping[str, object]) -> None:
        """Print the result: `value` with --json, else `line`."""
        told = json.dumps(value, ensure_ascii=False, default=str) if self.json else line
        sys.stdout.write(told + "\n")
        sys.stdout.flush()

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far long work is, on one line that is overwritten."""
        if self.json or self.quiet or not sys.stdout.isatty():
            return
        share = 100 * done // total if total else 100
        end = "\n" if done >= total else ""
        sys.stdout.write(f"\r{what}: {share:3d} % ({done:,} of {total:,}){end}")
        sys.stdout.flush()

    def fail(self, what: str, hint: str, status: int) -> int:
        """Print an error and its hint to standard error; return `status`."""
        if self.json:
            sys.stderr.write(json.dumps({"error": what, "hint": hint}) + "\n")
        else:
            sys.stderr.write(f"letterlock: {what}\n")
            if hint:
                sys.stderr.write(f"  {hint}\n")
        return status


def explain(error: Exception) -> tuple[str, str]:
    """Return what went wrong, one of `TOLD`, as one sentence and a hint."""
    match error:
        case AlreadyFollowed():
            return (
                "another process works on this data folder already",
                "Stop that process first, or choose another folder with --data.",
            )
        case CorruptRecord():
            return (
                str(error),
                "Trying again cannot help: stop all, and restore it from its backup.",
            )
        case SettingsError() | KeyMissing() | ReadModelBroken():
            return str(error), ""  # says itself what to do
        case PortTaken():
            return str(error), error.hint
        case OSError():
            return _of_system(error)
        case _:
            told = str(error) or (type(error).__doc__ or "").strip()
            return told, "Nothing was half done; try again."


def _of_system(error: OSError) -> tuple[str, str]:
    if error.errno == errno.EADDRINUSE:
        return (
            "a port is taken, perhaps by a Letterlock that runs already",
            "Stop that program, or choose other ports: letterlock run --port-base 9400",
        )
    told = error.strerror or type(error).__name__
    where = error.filename if isinstance(error.filename, str) else ""
    hint = ""
    if error.errno in _RIGHTS:
        hint = "It must belong to the user that runs this."
    elif error.errno in _DISK:
        hint = "Check the disk it lies on."
    return f"{where}: {told}" if where else told, hint
