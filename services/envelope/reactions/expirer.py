"""The end of an envelope's life, written down when its time has come."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.envelope.handlers.streams import stream_of
from services.envelope.handlers.tools import Tools
from services.envelope.model.life import decide_expired
from shared.context import service_context

BATCH: Final = 200


class Expirer:
    """Appends EnvelopeExpired, once for each life. A link dies without it, too."""

    def __init__(self, tools: Tools) -> None:
        """Work with `tools`."""
        self._tools = tools

    def run_once(self, now: datetime | None = None) -> int:
        """Record the ends that are due at `now` (the clock's); return how many."""
        now = now or self._tools.clock.now()
        done = 0
        for envelope_id in self._tools.lists.expired(now, BATCH):
            stream = stream_of(envelope_id)
            before = self._tools.envelopes.load(stream).position
            after = self._tools.envelopes.run(
                stream, service_context("envelope"), decide_expired
            )
            done += after.position > before
        return done
