"""`make bench`: prints each row of the performance table beside its peer.

Timings are never asserted: a missed target is told, and is not an error.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from shared.messaging.node import PROGRAM
from tests.benchmarks.lab import FULL, QUICK, USUAL, Lab, Line
from tests.benchmarks.report import as_json, as_table

THROUGH: Final = frozenset({"rpc", "city"})  # rows that need a broker
ROOT: Final = Path(__file__).parents[2]
MISSING: Final = (
    "the peer is not installed; run: "
    ".venv/bin/pip install --require-hashes -r requirements-bench.in\n"
)
NO_BROKER: Final = (
    "RabbitMQ is not installed; install Debian's package rabbitmq-server, "
    "or name the rows to measure without it\n"
)


def rows() -> dict[str, Callable[[Lab], Iterator[Line]]]:
    """Return what can be measured, by name, in the order of the table."""
    # Imported here: they need the peer, and `--help` does not.
    from tests.benchmarks import (  # noqa: PLC0415
        appending,
        deciding,
        distributed,
        following,
        keeping,
        paging,
        postgres,
        reading,
        rpc,
        visiting,
    )

    return {
        "append": appending.appends,
        "crowd": appending.crowd,
        "postgres": postgres.writers,
        "command": deciding.commands,
        "bytes": keeping.stored,
        "read": reading.everything,
        "page": paging.messages,
        "latency": following.latency,
        "visit": visiting.visits,
        "rpc": rpc.calls,
        "city": distributed.city,
    }


def main(words: Sequence[str]) -> int:
    """Measure and print; 2 if a peer or the broker is missing."""
    asked = _asked(words)
    if find_spec("eventsourcing") is None:
        sys.stderr.write(MISSING)
        return 2
    name, sizes = "usual", USUAL
    if asked.quick:
        name, sizes = "quick", QUICK
    elif asked.full:
        name, sizes = "full", FULL
    known = rows()
    if unknown := set(asked.rows) - known.keys():
        sys.stderr.write(f"no such rows: {sorted(unknown)}; known: {list(known)}\n")
        return 2
    chosen = {row: known[row] for row in known if row in asked.rows or not asked.rows}
    if THROUGH & chosen.keys() and not PROGRAM.exists():
        sys.stderr.write(NO_BROKER)
        return 2
    signal.signal(signal.SIGTERM, _stop)  # what was started is ended, as by Ctrl-C
    asked.dir.mkdir(parents=True, exist_ok=True)
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="letterlock-bench-", dir=asked.dir) as path:
        lab = Lab(Path(path), sizes)
        for number, (row, measure) in enumerate(chosen.items(), start=1):
            sys.stderr.write(f"[{number}/{len(chosen)}] {row}\n")
            lines += measure(lab)
    sys.stdout.write(as_table(lines))
    if asked.json:
        asked.json.write_text(json.dumps(as_json(lines, name), indent=1) + "\n")
    return 0


def _stop(number: int, frame: object) -> None:
    del frame
    sys.exit(128 + number)


def _asked(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("rows", nargs="*", help="only these rows; all without any")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small sizes, minutes")
    size.add_argument("--full", action="store_true", help="1,000,000 events, hours")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures too")
    parser.add_argument(
        "--dir",
        type=Path,
        default=ROOT / ".artifacts",
        help="a folder on the disk to measure; never one in memory",
    )
    return parser.parse_args(words)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
