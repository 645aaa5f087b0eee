"""What the command prints: plain lines or one JSON object, errors in one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass


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
