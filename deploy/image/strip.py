"""Takes everything out of the image that the program does not need. Build time only.

What remains can run Python modules and nothing else: no shell, no package manager, no
compiler, no tool. The list of Debian packages stays, so scanners still know the base.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

PYTHON: Final = {"python3.11", "python3", "python"}
GONE: Final = (
    "app/lib/python3.11/site-packages/grpc_tools",  # a compiler, for nobody here
    "src",
    "root",
    "usr/include",
    "usr/lib/apt",
    "usr/local/include",
    "usr/local/share",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/perl",
    "usr/share/perl5",
    "var/cache",
    "var/lib/apt",
    "var/log",
)
NOT_NEEDED: Final = ("ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages")
EMPTIED: Final = ("usr/bin", "usr/sbin", "usr/local/sbin", "bin", "sbin", "tmp")


def strip(root: Path) -> list[str]:
    """Empty the tool folders under `root` and return the programs that are left."""
    for name in EMPTIED:
        folder = root / name
        if folder.is_dir() and not folder.is_symlink():
            for entry in folder.iterdir():
                _remove(entry)
    for name in GONE:
        _remove(root / name)
    for folder in (root / "usr/lib").glob("*/perl*"):
        _remove(folder)
    programs = [root / "usr/local/bin", root / "app/bin"]
    for entry in [entry for folder in programs for entry in folder.glob("*")]:
        if entry.name not in PYTHON:
            _remove(entry)
    for name in NOT_NEEDED:
        _remove(root / "usr/local/lib/python3.11" / name)
    return sorted({entry.name for folder in programs for entry in folder.glob("*")})


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    left = strip(Path("/"))
    sys.exit(0 if set(left) <= PYTHON else f"left over: {left}")
