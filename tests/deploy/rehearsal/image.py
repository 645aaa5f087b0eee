"""The root of our containers: what deploy/Dockerfile copies, and the locked libraries.

Libraries come from the environment at hand, but only those that requirements.txt names,
so what works here needs no other. Python and the C library are this machine's.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from tests.deploy.manifests import ROOT

DOCKERFILE: Final = ROOT / "deploy" / "Dockerfile"
LOCK: Final = ROOT / "requirements.txt"
INSTALLED: Final = "/run/installed"  # where the environment at hand can be seen
LIBRARIES: Final = "/app/lib/python3.11/site-packages"
STRIPPED: Final = {"grpc_tools"}  # as deploy/image/strip.py


@dataclass(frozen=True)
class Image:
    """What a container starts from, and what its Dockerfile says of starting it."""

    binds: tuple[tuple[str, str], ...]  # source, target
    links: dict[str, str]
    files: dict[str, str]
    variables: dict[str, str]
    folder: str
    user: int
    group: int
    words: tuple[str, ...]


def system() -> Image:
    """Return the root of servers that are not ours: this machine's programs."""
    binds = [("/usr", "/usr"), ("/etc/alternatives", "/etc/alternatives")]
    binds.append(("/etc/ld.so.cache", "/etc/ld.so.cache"))
    return Image(
        binds=tuple(binds),
        links={f"/{name}": f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64")},
        files={"/etc/passwd": "", "/etc/nsswitch.conf": "hosts: files dns\n"},
        variables={},
        folder="/",
        user=0,
        group=0,
        words=(),
    )


def ours() -> Image:
    """Return the image of every process of ours, as the Dockerfile's lines make it."""
    base = system()
    unpacked = os.environ.get("LETTERLOCK_REHEARSAL_ROOT")
    lines = _instructions()
    last = lines[max(i for i, line in enumerate(lines) if line[0] == "FROM") :]
    said = {word: text for word, text in last if word in {"WORKDIR", "USER"}}
    (words,) = (text for word, text in last if word == "ENTRYPOINT")
    (environment,) = (text for word, text in last if word == "ENV")
    user, _, group = said["USER"].partition(":")
    python = Path(sys.executable).resolve()
    binds = [*base.binds, (str(_installed()), INSTALLED)]
    if not python.is_relative_to("/usr"):
        binds.append((sys.base_prefix, sys.base_prefix))
    binds += _copied(lines)
    links = {
        **base.links,
        **{f"{LIBRARIES}/{name}": f"{INSTALLED}/{name}" for name in _locked()},
        "/app/bin/python": str(python),
    }
    files = {
        **base.files,
        "/app/pyvenv.cfg": f"home = {python.parent}\n",
        **_written(lines),
    }
    if unpacked:
        binds, links, files = *_unpacked(Path(unpacked)), {}
    return Image(
        binds=tuple(binds),
        links=links,
        files=files,
        variables=dict(pair.split("=", 1) for pair in environment.split()),
        folder=said["WORKDIR"],
        user=int(user),
        group=int(group),
        words=tuple(re.findall(r'"([^"]+)"', words)),
    )


def _unpacked(root: Path) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Return the folders and the links at the top of an image."""
    kept = [p for p in root.iterdir() if p.name not in {"dev", "proc", "run", "tmp"}]
    etc = [(str(p), f"/etc/{p.name}") for p in (root / "etc").iterdir() if p.is_file()
        and not p.is_symlink() and p.name not in {"hosts", "resolv.conf"}]  # fmt: skip
    folders = [p for p in kept if p.is_dir() and not p.is_symlink() and p.name != "etc"]
    return (
        [(str(path), f"/{path.name}") for path in folders] + etc,
        {f"/{path.name}": str(path.readlink()) for path in kept if path.is_symlink()},
    )


def _instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text())
    kept = [line for line in joined.splitlines() if line and line[0] != "#"]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in kept]


def _copied(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the folders that go under /app, from the repository."""
    copies = [text.split() for word, text in lines if word == "COPY"]
    return [
        (str(ROOT / words[-2]), words[-1])
        for words in copies
        if words[-1].startswith("/app/") and "--from=pages" not in words
    ]


def _written(lines: list[tuple[str, str]]) -> dict[str, str]:
    """Return the small files that RUN lines write with `echo`."""
    runs = " ".join(text for word, text in lines if word == "RUN")
    found = re.findall(r"echo (\S+) > (/app/\S+)", runs)
    return {path: f"{text}\n" for text, path in found}


def _locked() -> set[str]:
    """Return the top-level names that the locked libraries put side by side."""
    names: set[str] = set()
    for name in re.findall(r"(?m)^([\w.-]+)(?:\[\w+\])?==", LOCK.read_text()):
        for file in metadata.files(name) or ():
            top = file.parts[0]
            if top not in {"..", "__pycache__"} | STRIPPED:
                names.add(top)
    return names


def _installed() -> Path:
    return Path(next(path for path in sys.path if path.endswith("site-packages")))
