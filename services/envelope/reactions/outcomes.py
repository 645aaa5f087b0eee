"""What the relay said, written down; kept until that succeeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from services.envelope.handlers.streams import Streams, stream_of
from services.envelope.model.relay import (
    decide_deferral,
    decide_failure,
    decide_relayed,
)
from services.envelope.model.state import Envelope
from services.envelope.ports import RelayAnswer
from shared.context import service_context
from shared.events import Event


class Outcomes:
    """Outcomes of attempts. A store that does not answer makes no mail go twice."""

    def __init__(self, envelopes: Streams[Envelope]) -> None:
        """Write to `envelopes`."""
        self._envelopes = envelopes
        self._kept: dict[str, Callable[[], object]] = {}  # by envelope

    def keep(self, envelope: Envelope, attempt: int, answer: RelayAnswer) -> None:
        """Remember the outcome of an attempt until it is written."""

        def decide(state: Envelope, at: datetime) -> Sequence[Event]:
            return _facts(state, at, envelope.generation, attempt, answer)

        stream = stream_of(envelope.envelope_id)
        context = service_context("envelope")  # one: what was written is known again
        self._kept[envelope.envelope_id] = lambda: self._envelopes.run(
            stream, context, decide
        )

    def write(self, envelope_id: str) -> bool:
        """Write down what is kept of an envelope; False if that is nothing."""
        write_down = self._kept.get(envelope_id)
        if write_down is None:
            return False
        write_down()
        del self._kept[envelope_id]
        return True

    def forget(self) -> None:
        """Keep nothing, for another postman may be ahead of what is known here."""
        self._kept.clear()


def _facts(
    state: Envelope,
    at: datetime,
    generation: int,
    attempt: int,
    answer: RelayAnswer,
) -> list[Event]:
    match answer.outcome:
        case "accepted":
            return decide_relayed(
                state,
                generation=generation,
                attempt=attempt,
                reply_code=answer.code or 250,
                tls=answer.tls,
            )
        case "deferred":
            return decide_deferral(
                state,
                at,
                generation=generation,
                attempt=attempt,
                reason=answer.reason,
                reply_code=answer.code,
            )
        case "rejected":
            return decide_failure(
                state,
                generation=generation,
                attempt=attempt,
                reason=answer.reason,
                reply_code=answer.code,
            )
