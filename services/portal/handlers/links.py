"""The secret of a one-time sign-in link: `<staff id>.<52 letters and digits>`.

The first half says whose it is, so that the person's own stream decides about it; the
second is 32 random bytes in lower-case base32. Only its SHA-256 is ever stored, which
is enough: it can't be guessed from a hash, having 256 random bits.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from uuid import UUID

from services.portal.errors import SignInLinkUsed

REMEMBERED: Final = 256  # answers

_SECRET: Final = re.compile(r"([0-9a-f]{32})\.[a-z2-7]{52}")


def secret_of(staff_id: str, random: bytes) -> str:
    """Return the secret made of `random`, 32 bytes."""
    return f"{staff_id}.{base64.b32encode(random).decode().rstrip('=').lower()}"


def hash_of(secret: str) -> str:
    """Return the SHA-256 of a secret, 64 hex digits: all that is stored of it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def opened(secret: str) -> tuple[str, str]:
    """Return whose secret this says it is, and its hash. Proves nothing yet.

    Raises:
        SignInLinkUsed: it does not have the form of a secret.
    """
    form = _SECRET.fullmatch(secret)
    if form is None:
        raise SignInLinkUsed
    return form[1], hash_of(secret)


class LatelyTold:
    """The latest secrets, in memory only, so that a repeated command tells the same.

    A double press or a retry comes within moments and to the same process. Later, or
    elsewhere, the secret is gone for good and a new link must be asked for.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._told: OrderedDict[tuple[UUID, str], str] = OrderedDict()
        self._lock = threading.Lock()

    def first(self, command_id: UUID, staff_id: str, make: Callable[[], str]) -> str:
        """Return the command's secret for one person; at first, what `make` makes."""
        asked = (command_id, staff_id)
        with self._lock:
            if asked not in self._told:
                self._told[asked] = make()
                while len(self._told) > REMEMBERED:
                    self._told.popitem(last=False)
            return self._told[asked]
