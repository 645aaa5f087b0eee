"""Rows of a call from one process to another, through RabbitMQ."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from services.compose import Apis, opened
from services.crm.commands import SetStop
from services.envelope.commands import DescribeOrganisation, GetOrganisation
from services.talking import talking
from shared.messaging.label import Label
from shared.messaging.port import Carrier
from shared.messaging.port import Line as Asked
from tests.benchmarks.apart import Apart, apart
from tests.benchmarks.echo import Peer, answering
from tests.benchmarks.lab import Lab, Line, Work, agree, together
from tests.benchmarks.sending import a_person, staff_context
from tests.benchmarks.system import settings_in

ALONE: Final = 20  # calls of one caller in a round
EACH: Final = 10  # calls of each of several
CALLERS: Final = 8
SOMEBODY: Final = "0" * 32  # the gate asks for the role; nobody looks this id up
WITHIN: Final = "one process, through the gate"
PEERS: Final = {
    "plain": "bare AMQP: a queue and an answer",
    "safe": "bare AMQP, as safe as ours",
    "nameko": "nameko's own RPC, JSON",
}
Call = Callable[[int], object]
"""Makes one call for the caller of this number."""


class Weighed:
    """Carries as the carrier inside does; remembers how heavy the last call was."""

    def __init__(self, carrier: Carrier) -> None:
        """Weigh what `carrier` carries."""
        self._carrier = carrier
        self.asked = self.answered = 0  # bytes, sealed

    @contextmanager
    def line(self) -> Iterator[Asked]:
        """As `Carrier.line`."""
        with self._carrier.line() as line:
            yield _Scales(line, self)


@dataclass(frozen=True, slots=True)
class _Scales:
    line: Asked
    weighed: Weighed

    @property
    def address(self) -> str:
        return self.line.address

    def ask(self, label: Label, body: bytes, timeout: float) -> tuple[Label, bytes]:
        answered, answer = self.line.ask(label, body, timeout)
        self.weighed.asked, self.weighed.answered = len(body), len(answer)
        return answered, answer


@dataclass(slots=True)
class Asker:
    """Asks a small query, and gives a small command that appends one fact."""

    apis: Apis
    people: list[str] = field(default_factory=list)  # each caller's own
    stopped: list[bool] = field(default_factory=list)

    def prepare(self) -> None:
        """Describe the organisation; create one person for each caller."""
        self.apis.envelope.describe(
            DescribeOrganisation(
                name="Harbourvale",
                registered_number="01234567",
                registered_office="1 Quay Street, Harbourvale",
                help_phone="01632 960100",
                sender_domain="harbourvale.example",
                privacy_url="https://harbourvale.example/privacy",
            ),
            staff_context(SOMEBODY, "admin"),
        )
        for number in range(CALLERS):
            context = staff_context(SOMEBODY, "sender")
            self.people.append(self.apis.crm.create(a_person(number), context).ref)
            self.stopped.append(False)

    def query(self, caller: int) -> object:
        """Ask who the organisation is."""
        del caller
        context = staff_context(SOMEBODY, "admin")
        return self.apis.envelope.organisation(GetOrganisation(), context)

    def command(self, caller: int) -> object:
        """Set a stop of the caller's person, or lift it: one fact, durable."""
        self.stopped[caller] = not self.stopped[caller]
        stop = SetStop(
            contact_id=self.people[caller],
            stop="marketing",
            stopped=self.stopped[caller],
            door="portal",
            wording="bench-1",
        )
        return self.apis.crm.set_stop(stop, staff_context(SOMEBODY, "admin"))


def calls(lab: Lab) -> Iterator[Line]:
    """Call another process, beside the same call within one and beside bare AMQP."""
    with ExitStack() as stack:
        with lab.step("starting RabbitMQ, two services and three peers"):
            ours = stack.enter_context(
                apart(lab.room(), [("rpc", "envelope"), ("rpc", "crm")])
            )
            peers = {name: _lines(stack, ours, kind) for kind, name in PEERS.items()}
        core = stack.enter_context(opened(settings_in(lab.room())))
        talk = stack.enter_context(talking(ours.settings, "portal"))
        weighed = Weighed(talk.carrier)
        ask = Asker(replace(talk, carrier=weighed).apis("portal"))
        within = Asker(core.apis("portal"))
        ask.prepare()
        within.prepare()
        for what, call, same in (
            ("a query", ask.query, within.query),
            ("a command", ask.command, within.command),
        ):
            call(0)
            beside = {WITHIN: same} | {
                name: _echoed(lines, weighed.asked, weighed.answered)
                for name, lines in peers.items()
            }
            yield from _beside(lab, what, call, beside)


def _beside(lab: Lab, what: str, call: Call, beside: dict[str, Call]) -> Iterator[Line]:
    for callers, each, work in ((1, ALONE, alone), (CALLERS, EACH, crowded)):
        row = f"RPC round trip, {what}, {callers} caller" + "s" * (callers > 1)
        with lab.step(row):
            race = lab.race(
                work(call), {name: work(other) for name, other in beside.items()}
            )
        for name in beside:
            line = race.line(row, callers * each * lab.sizes.rounds, name)
            yield replace(line, ratio=1 / line.ratio)  # how many times as much it costs


def _lines(stack: ExitStack, ours: Apart, kind: str) -> list[Peer]:
    line = stack.enter_context(answering(ours.peers, kind))
    return [line() for _ in range(CALLERS)]


def _echoed(lines: Sequence[Peer], asked: int, answered: int) -> Call:
    body = b"x" * asked

    def call(caller: int) -> object:
        answer = lines[caller].ask(body, answered)
        agree(len(answer), answered)
        return answer

    return call


def alone(call: Call) -> Work:
    """Return a work of one caller: the seconds that one call took."""

    def work() -> float:
        start = time.perf_counter()
        for _ in range(ALONE):
            call(0)
        return (time.perf_counter() - start) / ALONE

    return work


def crowded(call: Call) -> Work:
    """Return a work of 8 callers at once: the seconds that passed for each call.

    Raises:
        Exception: what a call raised.
    """

    def each(caller: int) -> None:
        for _ in range(EACH):
            call(caller)

    return lambda: together(CALLERS, each) / (CALLERS * EACH)
