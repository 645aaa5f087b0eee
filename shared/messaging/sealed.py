"""Sealed messages: nothing between services is readable, forgeable or worth replaying.

A body is AES-256-GCM under the key of the pair; everything the broker can see of a
message is associated data, so who asks whom for what, until when and where the answer
goes cannot be changed. Knowing the key proves who the caller is.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from shared.clock import Clock, micros
from shared.crypto.kek import KeyMissing
from shared.crypto.seal import associated, box, unbox
from shared.eventstore.port import CorruptRecord
from shared.messaging.label import Label, Refusal
from shared.messaging.pairs import Pairs

_log = logging.getLogger(__name__)
LONGEST: Final = timedelta(seconds=60)  # a message may live
SKEW: Final = timedelta(seconds=5)  # that clocks of two hosts may differ
SELDOM: Final = timedelta(seconds=10)  # between lines that tell of late ones
_FORMAT: Final = b"letterlock-message-1"


def bound(label: Label) -> bytes:
    """Return all fields of a label as bytes that no other label gives."""
    return associated(
        _FORMAT,
        label.direction,
        label.caller,
        label.service,
        label.operation,
        label.message_id.bytes,
        label.command_id.bytes,
        str(label.expires),
        label.reply_to,
    )


class Seals:
    """Seals and opens messages with the pair keys of this process."""

    def __init__(self, pairs: Pairs) -> None:
        """Use `pairs`; read nothing yet."""
        self._pairs = pairs

    def seal(self, label: Label, plain: bytes) -> bytes:
        """Return the body for a message with this label.

        Raises:
            KeyMissing: this process holds no key for the pair.
        """
        return box(self._key(label), bound(label), plain)

    def open(self, label: Label, body: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            Refusal: `forged`: another key, another label, or an altered body.
        """
        try:
            return unbox(self._key(label), bound(label), body, where="message")
        except (CorruptRecord, KeyMissing):
            raise Refusal("forged") from None

    def _key(self, label: Label) -> bytes:
        return self._pairs.key(label.caller, label.service, label.direction)


class Window:
    """Lets each message in once, and only in its time.

    It remembers what came for as long as a message may live. Of several processes that
    serve one queue each has its own; what slips through between them, or after a
    restart, is harmless, as every operation is idempotent by command id and the answer
    goes, sealed, to the first caller alone.
    """

    def __init__(self, clock: Clock) -> None:
        """Start empty."""
        self._clock = clock
        self._seen: dict[UUID, datetime] = {}
        self._told: datetime | None = None  # that something was late
        self._lock = threading.Lock()

    def admit(self, label: Label, *, redelivered: bool) -> None:
        """Let a message in.

        Args:
            label: of the opened message.
            redelivered: the broker says that it delivered this message before, because
                no process settled it; then having seen it is no offence.

        Raises:
            Refusal: `late`, `too_far` (lives longer than any may) or `replayed`.
        """
        now = self._clock.now()
        if (late := micros(now) - label.expires) >= 0:
            if self._told is None or abs(now - self._told) >= SELDOM:
                self._told = now
                _log.warning("late by %.1f s, from %s", late / 1_000_000, label.caller)
            raise Refusal("late")
        if label.expires > micros(now + LONGEST + SKEW):
            raise Refusal("too_far")
        with self._lock:
            if label.message_id in self._seen and not redelivered:
                raise Refusal("replayed")
            self._seen[label.message_id] = now + LONGEST + SKEW
            while self._seen:
                oldest = next(iter(self._seen))
                if self._seen[oldest] > now:
                    break
                del self._seen[oldest]
