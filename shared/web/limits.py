"""Slowing down who guesses, without ever shutting out who is guessed at.

Three counters are asked for each try: the source's, the account's, and, for a browser
that has succeeded at this account before, that browser's own instead of the account's
(so strangers' failures cannot delay the owner). Delays grow and have a ceiling; a try
that is refused costs nothing, and a source gets back the try that succeeded, so many
people behind one address do not delay each other. Keys are kept only as keyed hashes,
in bounded memory.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from shared.clock import Clock
from shared.errors import DomainError

STEEPEST: Final = 30  # doublings; beyond it the ceiling rules anyway


class TooManyTries(DomainError):
    """Too many tries in a short time."""

    code = "too_many_tries"
    http_status = 429
    hint: ClassVar[str] = "Wait a little, then try again. Nothing is locked."

    def __init__(self, detail: str = "", *, retry_after: timedelta) -> None:
        """Say how long to wait before the next try can be heard."""
        super().__init__(detail)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How many tries are free, and how the wait after them grows."""

    free: int
    wait: timedelta  # after the first try too many; doubled each time
    longest: timedelta  # ceiling of one wait
    calm: timedelta = timedelta(hours=1)  # without a try, all is forgotten


BY_ACCOUNT: Final = Allowance(
    free=5, wait=timedelta(seconds=1), longest=timedelta(seconds=60)
)
BY_SOURCE: Final = Allowance(
    free=20, wait=timedelta(seconds=1), longest=timedelta(minutes=15)
)


@dataclass(slots=True)
class _Count:
    tries: int
    last: datetime
    free_at: datetime


class Limiter:
    """Counts tries. Safe to share between threads."""

    def __init__(
        self,
        clock: Clock,
        *,
        account: Allowance = BY_ACCOUNT,
        source: Allowance = BY_SOURCE,
        remembered: int = 20_000,
    ) -> None:
        """Start with nothing counted; keep at most `remembered` counters."""
        self._clock = clock
        self._account = account
        self._source = source
        self._remembered = remembered
        self._salt = secrets.token_bytes(32)
        self._counts: OrderedDict[bytes, _Count] = OrderedDict()
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, what: str, *, account: str, source: str, browser: str = "") -> None:
        """Count one try at `what` (e.g. "sign-in"), before it is judged.

        Raises:
            TooManyTries: it comes too early; it was not counted and must not be judged.
        """
        now = self._clock.now()
        own = self._key("known", what, account, browser)
        with self._lock:
            theirs = own if own in self._known else self._key("a", what, account)
            rules = (
                (theirs, self._account),
                (self._key("s", what, source), self._source),
            )
            wait = max(self._wait(key, rule, now) for key, rule in rules)
            if wait > timedelta(0):
                raise TooManyTries(retry_after=wait)
            for key, rule in rules:
                self._count(key, rule, now)

    def succeeded(
        self, what: str, *, account: str, source: str = "", browser: str = ""
    ) -> None:
        """Forget the account's failures and trust this browser not to be a stranger.

        `source` gets back this one try and its wait, not its earlier failures: whoever
        has an account of their own cannot wipe out guesses at others.
        """
        own = self._key("known", what, account, browser)
        with self._lock:
            self._give_back(self._key("s", what, source))
            self._counts.pop(self._key("a", what, account), None)
            self._counts.pop(own, None)
            if browser:
                self._known[own] = None
                self._known.move_to_end(own)
                while len(self._known) > self._remembered:
                    self._known.popitem(last=False)

    def _wait(self, key: bytes, rule: Allowance, now: datetime) -> timedelta:
        count = self._counts.get(key)
        if count is None or now - count.last >= rule.calm:
            return timedelta(0)
        return count.free_at - now

    def _count(self, key: bytes, rule: Allowance, now: datetime) -> None:
        count = self._counts.get(key)
        if count is None or now - count.last >= rule.calm:
            count = _Count(tries=0, last=now, free_at=now)
        over = count.tries + 1 - rule.free
        delay = rule.wait * 2 ** min(over, STEEPEST) if over >= 0 else timedelta(0)
        self._counts[key] = _Count(
            tries=count.tries + 1,
            last=now,
            free_at=now + min(delay, rule.longest),
        )
        self._counts.move_to_end(key)
        while len(self._counts) > self._remembered:
            self._counts.popitem(last=False)

    def _give_back(self, key: bytes) -> None:
        count = self._counts.get(key)
        if count is not None:
            count.tries = max(count.tries - 1, 0)
            count.free_at = count.last

    def _key(self, *parts: str) -> bytes:
        text = "\x00".join(f"{len(part)}:{part}" for part in parts)
        return hashlib.blake2b(text.encode(), key=self._salt, digest_size=16).digest()


def seconds(wait: timedelta) -> int:
    """Return `wait` in whole seconds, rounded up: the value of `Retry-After`."""
    return math.ceil(wait.total_seconds())
