"""The whole embedded system, in a process of its own.

Makes an organisation, sends letters, says their links and how long each took, and
serves until its standard input ends. `python -m tests.benchmarks.system`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Final

from services.compose import create_data
from services.crm.commands import CreateContact
from services.demo_data import DemoOrganisation
from services.embedded import Running, running
from services.envelope.commands import SendLetter
from services.portal.commands import InviteStaff
from services.walk import free_port_base
from shared.context import CallContext
from shared.ids import mint
from shared.settings import Settings

PAGE: Final = "165120"  # an open letter: the family name opens it
FAMILY: Final = "Penhallow"
CEILING: Final = 50  # letters of one sender; the product allows 60 an hour
ARRIVAL: Final = 120.0  # s the mails of a stage may take
LINK: Final = re.compile(r"/e/([a-z2-7]{32})")


@dataclass(frozen=True, slots=True)
class Sent:
    """One stage of sending."""

    letters: int
    accepted: float  # s that one send took: sealed, rendered, durable
    mailed: float  # s for each letter until the last mail lay in the mailbox


@dataclass(frozen=True, slots=True)
class System:
    """The running system as its parent sees it."""

    viewer: int  # port
    tokens: list[str]
    stages: list[Sent]


@contextmanager
def a_system(folder: Path, letters: Sequence[int]) -> Iterator[System]:
    """Start the system in a process of its own; stop it at the end."""
    words = [sys.executable, "-m", "tests.benchmarks.system", str(folder)]
    words += map(str, letters)
    with Popen(words, stdin=PIPE, stdout=PIPE, text=True) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("the pipes asked for are not there")
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the system did not start")
        told = json.loads(line)
        yield System(
            told["viewer"], told["tokens"], [Sent(*each) for each in told["stages"]]
        )
        process.stdin.close()


def main(folder: Path, letters: Sequence[int]) -> None:
    """Run the system, send, tell, serve."""
    settings = Settings.from_env(
        {
            "LETTERLOCK_DATA": str(folder / "data"),
            "LETTERLOCK_PORT_BASE": str(free_port_base()),
            "LETTERLOCK_UNDO_SECONDS": "0",
        }
    )
    create_data(settings.folder)
    with running(settings) as system:
        people = _enter(system, sum(letters))
        sent = [
            astuple(_send(system, [next(people) for _ in range(n)])) for n in letters
        ]
        found = (LINK.search(mail.part("plain")) for mail in system.mailbox.mails())
        told = {
            "viewer": settings.viewer_port,
            "tokens": [link[1] for link in found if link],
            "stages": sent,
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


def _enter(system: Running, people: int) -> Iterator[tuple[str, str]]:
    """Enter the demo's pages, and senders and recipients; return who sends to whom."""
    apis = system.apis
    admin = (
        DemoOrganisation(
            staff=apis.staff,
            crm=apis.crm,
            letters=apis.letters,
            envelope=apis.envelope,
            seed=mint(),
        )
        .enter()
        .staff["ada"]
    )
    senders = [
        apis.staff.invite(
            InviteStaff(
                formal_name="Ms Anna Ferris",
                email=f"sender{number}@harbourvale.example",
                roles=("sender",),
            ),
            _context(admin, "admin"),
        ).ref
        for number in range(people // CEILING + 1)
    ]
    pairs: list[tuple[str, str]] = []
    for number in range(people):
        sender = senders[number // CEILING]
        person = _create(system, number, _context(sender, "sender"))
        pairs.append((sender, person))
    return iter(pairs)


def _create(system: Running, number: int, context: CallContext) -> str:
    person = CreateContact(
        kind="customer",
        title="Mx",
        given="Robin",
        family=FAMILY,
        email=f"robin{number}@people.example",
    )
    return system.apis.crm.create(person, context).ref


def _send(system: Running, pairs: Sequence[tuple[str, str]]) -> Sent:
    """Send one letter to each, one after another; wait for their mails."""
    before = len(system.mailbox.mails())
    accepted, begin = 0.0, time.perf_counter()
    for sender, person in pairs:
        letter = SendLetter(contact_id=person, page=PAGE, sender_name="Ms Anna Ferris")
        start = time.perf_counter()
        system.apis.envelope.send(letter, _context(sender, "sender"))
        accepted += time.perf_counter() - start
    last = before + len(pairs)
    if system.mailbox.wait_for(lambda mail: mail.number == last, ARRIVAL) is None:
        message = f"mail {last} did not arrive"
        raise TimeoutError(message)
    mailed = time.perf_counter() - begin
    return Sent(len(pairs), accepted / len(pairs), mailed / len(pairs))


def _context(actor: str, role: str) -> CallContext:
    command_id = mint()
    return CallContext(
        command_id=command_id,
        correlation_id=command_id,
        actor_id=actor,
        actor_kind="staff",
        role=role,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(word) for word in sys.argv[2:]])
