"""The operator's tool for dead letters. Needs the pair keys, so it runs on the host."""

from __future__ import annotations

from dataclasses import replace

from services.brokerage import OPERATOR
from services.talking import broker_of
from shared.clock import SystemClock, micros
from shared.ids import mint
from shared.messaging.label import Label, Refusal
from shared.messaging.pairs import Pairs
from shared.messaging.rabbit.broker import Broker
from shared.messaging.rabbit.dead import CURABLE, DeadLetter
from shared.messaging.rabbit.graveyard import visit
from shared.messaging.sealed import LONGEST, Seals
from shared.settings import Settings


def listed(settings: Settings) -> list[dict[str, object]]:
    """Return the dead letters, oldest first; never a body. Raises Unreachable."""
    return [_told(letter, back) for letter, back in visit(_operator(settings))]


def replayed(settings: Settings) -> list[dict[str, object]]:
    """Put back what may succeed now, sealed anew with time to live; return all.

    Forged and malformed messages never are. The command id stays, so what had been done
    after all is not done twice. Nobody waits for the answer any more.

    Raises:
        Unreachable: the broker failed; nothing was lost.
    """
    seals, clock = Seals(Pairs(settings.folder.keys / "pairs")), SystemClock()

    def renew(
        letter: DeadLetter, label: Label, body: bytes
    ) -> tuple[Label, bytes] | None:
        if not letter.cause.startswith(CURABLE):
            return None
        try:
            plain = seals.open(label, body)
        except Refusal:
            return None
        fresh = replace(label, message_id=mint(), expires=micros(clock.now() + LONGEST))
        return fresh, seals.seal(fresh, plain)

    visited = visit(_operator(settings), renew)
    return [_told(letter, back) for letter, back in visited]


def _operator(settings: Settings) -> Broker:
    return broker_of(settings, OPERATOR)


def _told(letter: DeadLetter, back: bool) -> dict[str, object]:  # noqa: FBT001  # a fact
    return {
        "cause": letter.cause,
        "queue": letter.queue,
        "route": letter.route,
        "bytes": letter.size,
        "sha256": letter.digest,
        "became": "put back" if back else "",
    }
