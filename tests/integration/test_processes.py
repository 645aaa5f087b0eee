"""The main job over processes and a broker, and every kind of process killed in it."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from services.compose import opened
from services.console import Console
from services.crm.commands import CreateContact
from services.dead_letters import listed
from services.embedded import Running
from services.envelope.api import Sent
from services.envelope.commands import OpenEnvelope, ReadLetter, SendLetter
from services.envelope.events import EnvelopeSent, EnvelopeViewed
from services.ground import SERVICES
from services.supervisor import WORKERS, Child, Supervisor, await_ready
from services.verbs import sign_in_link
from services.walk import Walk
from shared.context import CallContext
from shared.errors import Fault
from shared.ids import mint
from shared.mailbox import Mail
from tests.integration.city import City, a_city, persistently, until
from tests.journeys.judge import all_facts, judge, judge_mails
from tests.journeys.post import token_of

pytestmark = pytest.mark.integration
FULL = os.environ.get("LETTERLOCK_SOAK") == "full"
SENDS, ROUNDS = (200, 20) if FULL else (18, 1)
CATCHES_UP = 60.0  # s after the broker is back
RECOVERS = 30.0  # s, on a busy machine; the target is 10
WELCOME = "165120"  # a page of the demo that anybody may open by name


@pytest.fixture(scope="module")
def city() -> Iterator[City]:
    with a_city() as built:
        yield built


def test_the_main_job_passes_unchanged(city: City) -> None:
    link = sign_in_link(city.apis, city.settings, city.ids.staff["anna"])
    system: Running = city  # type: ignore[assignment]  # all that a walk asks of it
    walk = Walk(system, city.ids, link, Console(json=False, quiet=True))
    try:
        told = walk.go()
    except Exception as error:
        for log in city.settings.folder.run.glob("*.log"):
            error.add_note(f"{log.name}: {log.read_text()[-2000:]}")
        raise
    assert told.checks
    assert {name for name, held in told.checks.items() if not held} == set()
    assert listed(city.settings) == []


def context(kind: str, role: str, actor: str = "a" * 32) -> CallContext:
    command = mint()
    return CallContext(
        command_id=command,
        correlation_id=command,
        actor_id=actor,
        actor_kind=kind,  # type: ignore[arg-type]
        role=role,
    )


class Killer(threading.Thread):
    """Kills one process of each kind in turn, the next once it has recovered."""

    def __init__(self, city: City, seed: int) -> None:
        super().__init__(daemon=True)
        self._city = city
        self._random = random.Random(seed)  # noqa: S311  # a seeded schedule
        self._stop_asked = threading.Event()
        self.killed: Counter[str] = Counter()
        self.strikes = 0
        self.slowest = 0.0

    def run(self) -> None:
        supervisor, settings = self._city.supervisor, self._city.settings
        names = sorted(supervisor.children)
        self._random.shuffle(names)
        while not self._stop_asked.wait(self._random.uniform(0.0, 0.7)):
            name = names[self.killed.total() % len(names)]
            victim = supervisor.children[name].process.pid
            os.kill(victim, signal.SIGKILL)
            killed = time.monotonic()
            self.strikes += 1
            back = partial(is_back, supervisor.children[name], victim)
            until(back, f"{name} again")
            await_ready(settings, supervisor)
            self.slowest = max(self.slowest, time.monotonic() - killed)
            self.killed[name] += 1

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


def test_any_process_may_be_killed_during_sends_and_views(city: City) -> None:
    crm, envelope = city.apis.crm, city.apis.envelope
    supervisor = city.supervisor
    killer = Killer(city, seed=1938)
    killer.start()
    sent, opened_letters = {}, 0
    strikes = len(supervisor.children) * ROUNDS
    try:
        for number in range(SENDS):
            struck = partial(has_struck, killer, number * strikes // SENDS)
            until(struck, "the next kill")
            person = CreateContact(
                title="Mr",
                given="Tom",
                family="Testperson",
                email=f"tom.{number}@people.example",
            )
            entered = context("staff", "sender", f"{number:032x}")
            contact = persistently(partial(crm.create, person, entered))
            letter = SendLetter(
                contact_id=contact.ref, page=WELCOME, sender_name="Ms Anna Ferris"
            )
            pressed = context("staff", "sender", f"{number:032x}")
            done = persistently(partial(envelope.send, letter, pressed))
            assert envelope_again(city, letter, pressed) == done
            sent[done.envelope_id] = person.email
    finally:
        killer.stop()
    assert killer.slowest < RECOVERS
    await_ready(city.settings, supervisor)
    for envelope_id, address in sent.items():
        mail = until(partial(mail_to, city, address), f"mail of {envelope_id}")
        killing = opened_letters % 4 == 0
        if killing:
            name = ("rpc envelope", "rpc crm", "follow crm")[opened_letters // 4 % 3]
            os.kill(supervisor.children[name].process.pid, signal.SIGKILL)
        assert "Dear Mr Tom Testperson" in read_letter(city, token_of(mail))
        opened_letters += 1
    assert opened_letters == len(sent) == SENDS
    check_what_stands(city, set(sent))


def is_back(child: Child, victim: int) -> bool:
    return child.process.pid != victim and child.process.poll() is None


def has_struck(killer: Killer, times: int) -> bool:
    assert killer.is_alive(), "a process did not recover"
    return killer.strikes >= times


def envelope_again(city: City, letter: SendLetter, pressed: CallContext) -> Sent:
    """Press a second time, as an impatient person does."""
    again = partial(city.apis.envelope.send, letter, pressed)
    return persistently(again)


def mail_to(city: City, address: str) -> Mail | None:
    found = [m for m in city.mailbox.mails() if m.recipients == (address,)]
    return found[0] if found else None


def read_letter(city: City, token: str) -> str:
    browser = "b" * 32
    asked = OpenEnvelope(token=token, browser=browser, answer="Testperson")
    visitor = context("recipient", "recipient", "recipient")
    public = city.public.envelope
    ticket = persistently(partial(public.open, asked, visitor))
    reading = ReadLetter(ticket=ticket.ticket, browser=browser)
    shown = context("recipient", "recipient", "recipient")
    return persistently(partial(public.read, reading, shown)).html


def check_what_stands(city: City, envelopes: set[str]) -> None:
    """Nothing lost, nothing doubled but the labelled exception (I1-I6)."""
    with opened(city.settings) as core:
        facts = all_facts(core.store)
        head = facts[-1].position
        for part in core.followed:
            names = [projection.name for projection in part.projections]
            shown = partial(part.readmodel.await_position, head, *names, timeout=0.1)
            until(shown, f"what {part.service} shows")
    assert judge(facts) == []
    assert judge_mails(facts, city.mailbox.mails()) == []
    counted = Counter(
        (type(record.event).__name__, record.event.envelope_id)
        for record in facts
        if isinstance(record.event, EnvelopeSent | EnvelopeViewed)
        and record.event.envelope_id in envelopes
    )
    assert set(counted.values()) == {1}
    assert len(counted) == 2 * len(envelopes)


def test_a_second_worker_stands_by_and_takes_over(city: City) -> None:
    supervisor, settings = city.supervisor, city.settings
    second = Supervisor(settings)
    try:
        second.start(("follow", *SERVICES))
        second.start(("work", *WORKERS))
        for name in ("follow crm", "work crm"):
            os.kill(supervisor.children[name].process.pid, signal.SIGKILL)
        address = "second@people.example"
        person = CreateContact(family="Testperson", email=address)
        done = city.apis.crm.create(person, context("staff", "sender"))
        letter = SendLetter(
            contact_id=done.ref, page=WELCOME, sender_name="Ms Anna Ferris"
        )
        city.apis.envelope.send(letter, context("staff", "sender"))

        def arrived() -> int:
            mails = city.mailbox.mails()
            return sum(m.recipients == (address,) for m in mails)

        assert until(arrived, "the mail by the second worker") == 1
    finally:
        second.stop()
        await_ready(settings, supervisor)


def test_the_broker_may_be_killed(city: City) -> None:
    address = "later@people.example"
    person = CreateContact(family="Testperson", email=address)
    done = city.apis.crm.create(person, context("staff", "sender"))
    letter = SendLetter(contact_id=done.ref, page=WELCOME, sender_name="Ms A Ferris")
    pressed = context("staff", "sender")
    city.node.kill()
    with pytest.raises(Fault):
        city.apis.envelope.send(letter, pressed)
    city.node.start()
    came_back = time.monotonic()
    sent = persistently(partial(city.apis.envelope.send, letter, pressed))
    mail = until(partial(mail_to, city, address), "the mail")
    assert time.monotonic() - came_back < CATCHES_UP
    assert "Dear" in read_letter(city, token_of(mail))
    check_what_stands(city, {sent.envelope_id})


def test_an_rpc_process_ends_in_peace(city: City) -> None:
    child = city.supervisor.children["rpc letters"]
    process = child.process
    process.terminate()
    assert process.wait(20) == 0
    until(partial(is_back, child, process.pid), "the process again")
    await_ready(city.settings, city.supervisor)


def test_no_log_tells_a_name(city: City) -> None:
    logs = [*city.settings.folder.run.glob("*.log")]
    logs += (city.settings.data / "broker").glob("log/*")
    told = "".join(path.read_text(errors="replace") for path in logs)
    assert "rpc-crm.log" in {path.name for path in logs}
    for private in ("Testperson", "people.example", "Traceback"):
        assert private not in told
