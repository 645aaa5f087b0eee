"""What was found, as a table for people and as JSON for programs."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.lab import Line, growth

PACKAGES: Final = (
    "eventsourcing",
    "cryptography",
    "msgspec",
    "sqlalchemy",
    "cheroot",
    "nameko",
    "kombu",
)
LEFT_OUT: Final = (
    "Merkle leaf on append: comes with the evidence log; sealing alone is measured",
)
HEAD: Final = ("", "size", "ours", "peer", "its figure", "ratio", "target", "")


def machine() -> dict[str, str]:
    """Return what the figures were taken on. Names no host and no path."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: _version(name) for name in PACKAGES},
    }


def as_json(lines: Sequence[Line], sizes: str) -> dict[str, Any]:
    """Return everything that was found."""
    return {
        "machine": machine(),
        "sizes": sizes,
        "rows": [
            {
                "row": line.row,
                "size": line.size,
                "unit": line.unit,
                "ours": line.ours,
                "peer": line.peer,
                "theirs": line.theirs,
                "ratio": line.ratio,
                "target": line.target.text() or None,
                "met": line.target.holds(line.ratio) if line.target.text() else None,
            }
            for line in lines
        ],
        "growth": dict(_growths(lines)),
        "left_out": list(LEFT_OUT),
    }


def as_table(lines: Sequence[Line]) -> str:
    """Return one block for each row of the table of targets."""
    rows: list[tuple[str, ...]] = [HEAD]
    growths = dict(_growths(lines))
    for name, found in _by_row(lines):
        slope = growths.get(name)
        grows = "" if slope is None else f"cost of one ~ size^{slope:.2f}"
        rows.append((name, "", "", grows, "", "", "", ""))
        rows += [_cells(line) for line in found]
    widths = [max(len(row[at]) for row in rows) for at in range(1, len(HEAD))]
    text = [_printed(row, widths) for row in rows]
    known = "; ".join(f"{name} {value}" for name, value in machine().items())
    out = "\n".join(f"not measured: {each}" for each in LEFT_OUT)
    return "\n".join([*text, "", known, out, ""])


def _cells(line: Line) -> tuple[str, ...]:
    target = line.target.text()
    verdict = "" if not target else "met" if line.target.holds(line.ratio) else "MISSED"
    return (
        "",
        f"{line.size:,}",
        f"{_figure(line.ours)} {line.unit}",
        line.peer,
        f"{_figure(line.theirs)} {line.unit}",
        f"{line.ratio:.2f} x",
        target,
        verdict,
    )


def _printed(row: tuple[str, ...], widths: Sequence[int]) -> str:
    if row[0]:
        return f"\n{row[0]}" + (f"  ({row[3]})" if row[3] else "")
    left = {2}  # the peer's name
    cells = [
        cell.ljust(width) if at in left else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row[1:], widths, strict=True))
    ]
    return "  " + "  ".join(cells).rstrip()


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _by_row(lines: Sequence[Line]) -> Iterable[tuple[str, list[Line]]]:
    order = list(dict.fromkeys(line.row for line in lines))
    ranked = sorted(lines, key=lambda line: (order.index(line.row), line.size))
    for name, found in groupby(ranked, key=lambda line: line.row):
        yield name, list(found)


def _growths(lines: Sequence[Line]) -> Iterable[tuple[str, float]]:
    for name, found in _by_row(lines):
        slope = growth(found)
        if slope is not None:
            yield name, slope


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    if known.exists():
        for line in known.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
