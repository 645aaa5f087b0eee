"""Rows of the product in processes of its own, beside the same product in one."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from services.supervisor import PROCESSES
from services.talking import talking
from shared.clock import SystemClock
from shared.mailbox import Mailbox, MailSink
from tests.benchmarks.apart import Apart, apart, resident
from tests.benchmarks.lab import MICRO, Lab, Line
from tests.benchmarks.sending import Sending, joined, turns
from tests.benchmarks.system import System, a_system
from tests.benchmarks.visiting import MAIL, OPEN, SEND, WARM, Visitors, peak

MAILBOX: Final = ("web", "mailbox")  # mails come to this process instead
WHERE: Final = "distributed: "
ONE: Final = "the same in one process"
CLIENTS: Final = 8
TURNS: Final = 4  # of a load
MEGA: Final = 1_000_000


def city(lab: Lab) -> Iterator[Line]:
    """Send and open through all processes and through one, taking turns."""
    with ExitStack() as stack:
        with lab.step("starting RabbitMQ and every process, and one beside them"):
            words = [each for each in PROCESSES if each != MAILBOX]
            many = stack.enter_context(apart(lab.room(), words))
            one = stack.enter_context(a_system(lab.room()))
            mailbox = Mailbox(SystemClock())
            sink = MailSink(mailbox, many.settings.smtp_port)
            sink.start()
            stack.callback(sink.stop)
            talk = stack.enter_context(talking(many.settings, "portal"))
            sending = Sending(talk.apis("portal"), mailbox)
        tokens: list[str] = []
        for letters in lab.sizes.letters:
            with lab.step(f"{WHERE}sending {letters:,} letters"):
                taken = [(sending.send(n), one.send(n)) for n in turns(letters)]
            ours, theirs = map(joined, zip(*taken, strict=True))
            tokens += ours.tokens
            yield _beside(SEND, letters, ours.accepted, theirs.accepted)
            yield _beside(MAIL, letters, ours.mailed, theirs.mailed)
        yield from _opened(
            lab,
            Visitors(many.settings.viewer_port, tokens),
            Visitors(one.viewer, one.tokens),
        )
        yield from _memory(many, one)


def _opened(lab: Lab, *both: Visitors) -> Iterator[Line]:
    for each in both:
        for _ in range(WARM):
            each.open()
    for size in lab.sizes.visits:
        with lab.step(f"{WHERE}{OPEN}, {size:,} times"):
            taken = [tuple(each.open() for each in both) for _ in range(size)]
        ours, theirs = map(statistics.median, zip(*taken, strict=True))
        yield _beside(OPEN, size, ours, theirs)
    with lab.step(f"{WHERE}opening with {CLIENTS} clients"):
        taken = [
            tuple(peak(each.open, CLIENTS, lab.sizes.loaded / TURNS) for each in both)
            for _ in range(TURNS)
        ]
    ours, theirs = map(statistics.mean, zip(*taken, strict=True))
    yield Line(
        row=f"{WHERE}open, {CLIENTS} clients",
        size=CLIENTS,
        unit="per s",
        ours=ours,
        peer=ONE,
        theirs=theirs,
        ratio=ours / theirs,
    )


def _beside(row: str, size: int, ours: float, theirs: float) -> Line:
    return Line(
        row=WHERE + row,
        size=size,
        unit="us",
        ours=ours * MICRO,
        peer=ONE,
        theirs=theirs * MICRO,
        ratio=ours / theirs,
    )


def _memory(many: Apart, one: System) -> Iterator[Line]:
    """Say what is resident after all that, as the sum over processes."""
    ours, broker = many.resident()
    theirs = resident([one.pid])
    for row, size, found in (
        ("its processes", len(many.supervisor.children), ours),
        ("RabbitMQ beside them", 1, broker),
    ):
        yield Line(
            row=f"{WHERE}resident memory, {row}",
            size=size,
            unit="MB",
            ours=found / MEGA,
            peer=ONE,
            theirs=theirs / MEGA,
            ratio=found / theirs,
        )
