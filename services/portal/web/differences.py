"""What changed between two revisions: lines side by side, words marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final, TypedDict

Part = tuple[str, str]  # "", "del" or "ins"; text
WORDS: Final = re.compile(r"\s+|[^\s\w]|\w+")
MOST_WORDS: Final = 400  # of a line; a longer one is shown as replaced in one piece


class Line(TypedDict):
    """One row of the comparison, as the `diff_view` macro takes it."""

    kind: str  # same, changed, added or removed
    left: list[Part]
    right: list[Part]


def compare(before: str, after: str) -> list[Line]:
    """Return the rows that put `before` at the left of `after`."""
    old, new = before.splitlines(), after.splitlines()
    matcher = SequenceMatcher(a=old, b=new, autojunk=False)
    rows: list[Line] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            rows += [
                Line(kind="same", left=[("", t)], right=[("", t)]) for t in old[a:b]
            ]
        else:
            rows += [_row(left, right) for left, right in _paired(old[a:b], new[c:d])]
    return [row for row in rows if not _blank(row)]


def _blank(row: Line) -> bool:
    """Say whether a row shows nothing but an empty line on both sides."""
    return not any(text.strip() for _mark, text in [*row["left"], *row["right"]])


def _paired(
    old: Sequence[str], new: Sequence[str]
) -> list[tuple[str | None, str | None]]:
    return list(zip_longest(old, new))


def _row(left: str | None, right: str | None) -> Line:
    if left is None:
        return Line(kind="added", left=[], right=[("ins", right or "")])
    if right is None:
        return Line(kind="removed", left=[("del", left)], right=[])
    old, new = WORDS.findall(left), WORDS.findall(right)
    if max(len(old), len(new)) > MOST_WORDS:
        return Line(kind="changed", left=[("del", left)], right=[("ins", right)])
    gone: list[Part] = []
    come: list[Part] = []
    matcher = SequenceMatcher(a=old, b=new, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        mark_old, mark_new = ("", "") if kind == "equal" else ("del", "ins")
        if a < b:
            gone.append((mark_old, "".join(old[a:b])))
        if c < d:
            come.append((mark_new, "".join(new[c:d])))
    return Line(kind="changed", left=gone, right=come)
