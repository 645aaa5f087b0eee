"""Text as people type it: tidied for keeping, folded for comparing."""

from __future__ import annotations

import unicodedata
from typing import Final

_STROKED: Final = str.maketrans(
    {
        "\u00f8": "o",  # o with stroke, as in Soerensen
        "\u0142": "l",
        "\u0111": "d",
        "\u00f0": "d",
        "\u00fe": "th",
        "\u00e6": "ae",
        "\u0153": "oe",
        "\u0131": "i",
    }
)


def tidy(text: str) -> str:
    """Return `text` in NFC, with single plain spaces and none at the ends."""
    composed = unicodedata.normalize("NFC", text)
    plain = "".join(" " if unicodedata.category(c) == "Zs" else c for c in composed)
    return " ".join(word for word in plain.split(" ") if word)


def has_unseen(text: str) -> bool:
    """Say whether `text` has control, format, bidi, private or unassigned characters.

    Line and paragraph separators count: nothing of the kind may reach a header.
    """
    return any(
        (kind := unicodedata.category(c)).startswith("C") or kind in {"Zl", "Zp"}
        for c in text
    )


def fold(text: str) -> str:
    """Return what is left of `text` for a forgiving comparison, maybe nothing.

    Case, diacritics, spaces, hyphens, apostrophes and all punctuation do not count.
    """
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in apart if unicodedata.category(c) != "Mn")
    joined = unicodedata.normalize("NFKC", bare.translate(_STROKED)).casefold()
    return "".join(c for c in joined if c.isalnum())


def script_of(letter: str) -> str:
    """Return the first word of the letter's Unicode name: LATIN, CYRILLIC, ..."""
    return unicodedata.name(letter, "").partition(" ")[0]
