"""Puts mounted secrets where the program reads them, open to this user alone.

A cluster mounts secrets readable by a group, and the key ring refuses such files. So
each file under OFFERED is copied to PLACED, a folder in memory, with mode 0400. What
belongs among the keys is linked from the data folder: no key file reaches a disk.

    place.py             copy, link, end: an init container
    place.py WORD ...    the same, then become `letterlock WORD ...`

LETTERLOCK_FIRST_START=yes also makes the empty list of erased people, once, in a folder
that has never held keys. Never set it after a restore: that list comes with the keys.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

OFFERED: Final = Path("/run/offered")
PLACED: Final = Path("/run/letterlock")
LINKED: Final = {  # offered folder -> where in the data folder its files belong
    "keys": Path("keys"),
    "pairs": Path("keys/pairs"),
    "broker": Path("keys/broker"),
}
FIRST: Final = "LETTERLOCK_FIRST_START"
FRESH: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class Unplaceable(Exception):
    """Something stands where it should not; nothing was overwritten."""


def place(offered: Path, placed: Path, data: Path) -> list[str]:
    """Copy every offered file, link the keys, and return what was placed.

    Raises:
        Unplaceable: a real file stands in the data folder where a key is to be linked.
        OSError: a file cannot be read, or a folder not be written.
    """
    for folder in (data, data / "keys"):
        _private(folder)
    names = sorted(path.relative_to(offered) for path in _files(offered))
    for name in names:
        _copy(offered / name, placed / name)
    for link in (data / "keys").glob("kek-*"):
        if link.is_symlink() and not link.exists():
            link.unlink(missing_ok=True)  # of a key that is offered no longer
    for name in names:
        if within := LINKED.get(name.parts[0]):
            _link(data / within / Path(*name.parts[1:]), placed / name)
    return [str(name) for name in names]


def start_afresh(data: Path) -> bool:
    """Make the empty list of erased people; False if there is one, or no key here.

    Raises:
        Unplaceable: the folder has held keys, so its list is missing, not new.
    """
    # The program's own; where this ends after copying, it need not be there.
    from shared.crypto.kek import Keks  # noqa: PLC0415
    from shared.crypto.tombstones import Tombstones  # noqa: PLC0415

    listed = data / "tombstones.log"
    if listed.exists() or not any((data / "keys").glob("kek-*")):
        return False
    if any((data / "keys").glob("*.db")):
        message = f"{listed} is missing; restore it from the key backup"
        raise Unplaceable(message)
    Tombstones(listed, Keks(data / "keys")).create()
    return True


def _files(folder: Path) -> list[Path]:
    """Return the files below; names with two dots are the mount's own machinery."""
    found: list[Path] = []
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.name.startswith(".."):
            continue
        found += _files(entry) if entry.is_dir() else [entry]
    return found


def _copy(source: Path, target: Path) -> None:
    _private(target.parent)
    target.unlink(missing_ok=True)
    with os.fdopen(os.open(target, FRESH, 0o400), "wb") as file:
        file.write(source.read_bytes())


def _link(link: Path, target: Path) -> None:
    """Make the link, or leave the same one that a sister process made."""
    _private(link.parent)
    if link.is_symlink() and link.readlink() == target:
        return
    if link.exists():
        message = f"{link} is a file of its own; move it away, then start again"
        raise Unplaceable(message)
    with suppress(FileExistsError):
        link.symlink_to(target)


def _private(folder: Path) -> None:
    """Make the folder, and those above it that are missing, open to this user alone."""
    if not folder.is_dir():
        _private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def main(words: list[str]) -> None:
    """Place, start afresh if told to, and become the program if given words."""
    data = Path(os.environ.get("LETTERLOCK_DATA", "data"))
    try:
        place(OFFERED, PLACED, data)
        if os.environ.get(FIRST) == "yes":
            start_afresh(data)
    except Unplaceable as refusal:
        sys.exit(str(refusal))
    if words:
        program = [sys.executable, "-IBu", "-m", "services", *words]
        os.execv(sys.executable, program)  # noqa: S606  # our own program


if __name__ == "__main__":
    main(sys.argv[1:])
