"""How an answer begins: done, refused by a rule, or not possible now."""

from __future__ import annotations

from typing import Final

import msgspec

from shared.errors import DomainError

ANSWERED: Final = b"A"  # then the result
REFUSED: Final = b"R"  # then [code, sentence]
FAILED: Final = b"F"  # then nothing: what failed is told in the callee's log alone


def refused(refusal: DomainError) -> bytes:
    """Return a refusal as an answer; its sentence holds nothing personal."""
    return REFUSED + msgspec.json.encode((refusal.code, str(refusal)))


def answered(result: bytes) -> bytes:
    """Return an encoded result as an answer."""
    return ANSWERED + result


def failed() -> bytes:
    """Return the answer to what cannot be done now."""
    return FAILED
