"""Finding a private word in any file, in whatever form it may have been written."""

from __future__ import annotations

import base64
import json
import quopri
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

DIGITS: Final = re.compile(r"[0-9]{6}")


def forms(word: str) -> dict[str, bytes]:
    """Return the shapes in which a word could lie on a disk, by name.

    Those of base64 keep their case; all others are lower-case, to be looked for in a
    lower-case copy.
    """
    plain = word.encode()
    found = {
        "plain": plain,
        "hex": plain.hex().encode(),
        "url": quote(word, safe="").encode(),
        "form": quote_plus(word, safe="").encode(),
        "quoted-printable": quopri.encodestring(plain).rstrip(b"=\n"),
        "json": json.dumps(word)[1:-1].encode(),
        "utf-16-le": word.encode("utf-16-le"),
        "utf-16-be": word.encode("utf-16-be"),
    }
    shapes = {name: shape.lower() for name, shape in found.items()}
    for shift in range(3):
        # What surrounds the word changes the first and last letters: they are cut off.
        shapes[f"base64+{shift}"] = _core(plain, shift)
    return shapes


def _core(plain: bytes, shift: int) -> bytes:
    coded = base64.b64encode(b"\0" * shift + plain)
    start = -(-shift * 4 // 3)
    end = (shift + len(plain)) * 8 // 6
    return coded[start:end]


@dataclass(frozen=True, slots=True)
class Hit:
    """A private word that was found."""

    name: str
    form: str
    where: str


def search(content: bytes, words: Mapping[str, str], where: str) -> list[Hit]:
    """Return every private word in `content`, by name and form."""
    small = content.lower()
    return [
        Hit(name, form, where)
        for name, word in words.items()
        for form, shape in forms(word).items()
        if _is_in(shape, content if form.startswith("base64") else small, word)
    ]


def _is_in(shape: bytes, content: bytes, word: str) -> bool:
    if shape not in content:
        return False
    if DIGITS.fullmatch(word) and shape == word.encode():
        # Six digits stand in times and hashes by chance: only by themselves they count.
        alone = rb"(?<![0-9a-f.])" + shape + rb"(?![0-9a-f])"
        return re.search(alone, content) is not None
    return True


def search_folder(folder: Path, words: Mapping[str, str]) -> list[Hit]:
    """Return every private word in the files below `folder`, and in their names."""
    found: list[Hit] = []
    for path in sorted(folder.rglob("*")):
        where = str(path.relative_to(folder))
        found += search(where.encode(), words, f"name of {where}")
        if path.is_file():
            found += search(path.read_bytes(), words, where)
    return found


def names_of(hits: Iterable[Hit]) -> set[tuple[str, str]]:
    """Return which words were found, each with where."""
    return {(hit.name, hit.where) for hit in hits}
