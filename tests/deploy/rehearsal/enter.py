"""Becomes a container's program: mounts its root, shuts it, drops every right.

    python -I enter.py SPEC.json      in fresh mount, pid and network namespaces

Knows nothing of the project: it runs before there is anything else in the root.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

READ_ONLY, NO_SUID, NO_DEV, REMOUNT, BIND, REC, PRIVATE = (
    1, 2, 4, 32, 4096, 16384, 1 << 18,
)  # fmt: skip
NO_NEW_PRIVILEGES = 38
LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    done = LIBC.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags),
        data.encode(),
    )  # fmt: skip
    if done:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def bind(source: str, target: Path, *, writable: bool) -> None:
    if Path(source).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount(source, str(target), "", BIND | REC)
    if not writable:
        mount("", str(target), "", BIND | REMOUNT | READ_ONLY)


def furnish(root: Path, spec: dict[str, Any]) -> None:
    """Mount everything below `root`, and make what is no volume read-only."""
    mount("", "/", "", REC | PRIVATE)
    mount("root", str(root), "tmpfs", 0, "mode=0755")
    for link, target in spec["links"].items():
        path = root / link.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    for target, text in spec["files"].items():
        path = root / target.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for source, target in spec["image"]:
        bind(source, root / target.lstrip("/"), writable=False)
    (root / "proc").mkdir()
    mount("proc", str(root / "proc"), "proc", NO_SUID | NO_DEV)
    for name in ("null", "zero", "random", "urandom"):
        bind(f"/dev/{name}", root / "dev" / name, writable=True)
    for one in sorted(spec["mounts"], key=lambda one: str(one["target"])):
        target = root / one["target"].lstrip("/")
        if one["source"]:
            bind(one["source"], target, writable=one["writable"])
            continue
        target.mkdir(parents=True, exist_ok=True)
        told = f"size={one['size']},mode={one['mode']}"
        owner = f",uid={one['owner']},gid={one['owner']}"
        mount("memory", str(target), "tmpfs", NO_SUID | NO_DEV, told + owner)
    (root / spec["folder"].lstrip("/")).mkdir(parents=True, exist_ok=True)
    mount("", str(root), "", BIND | REMOUNT | READ_ONLY)


def main(path: str) -> None:
    """Furnish, step in, give up all rights and become the program."""
    spec = json.loads(Path(path).read_text())
    os.umask(0o022)
    socket.sethostname(spec["name"])
    furnish(Path(spec["root"]), spec)
    os.chroot(spec["root"])
    os.chdir(spec["folder"])
    LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    os.setgroups([spec["group"]])
    os.setresgid(spec["group"], spec["group"], spec["group"])
    os.setresuid(spec["user"], spec["user"], spec["user"])
    program, path = spec["words"][0], spec["variables"].get("PATH", "")
    for folder in () if "/" in program else path.split(":"):
        if os.access(f"{folder}/{program}", os.X_OK):
            program = f"{folder}/{program}"
            break
    os.execve(program, spec["words"], spec["variables"])  # noqa: S606  # what it is for


if __name__ == "__main__":
    main(sys.argv[1])
