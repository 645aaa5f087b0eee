"""The main job over processes and a broker, and every kind of process killed in it."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from services.children import Supervisor
from services.compose import opened
from services.crm.commands import CreateContact
from services.dead_letters import listed
from services.embedded import Running
from services.envelope.commands import OpenEnvelope, ReadLetter, SendLetter
from services.envelope.events import (
    EnvelopeSent,
    EnvelopeViewed,
    LetterShown,
    RelayAttempted,
)
from services.ground import SERVICES
from services.supervisor import PROCESSES, WORKERS, await_ready
from shared.errors import Fault
from shared.events import Recorded
from shared.mailbox import Mail
from tests.faults.apart import WELCOME, Killer, People, context, is_back, mail_to
from tests.faults.canaries import search_folder
from tests.faults.left_behind import leave_dead, leave_in_flight, leave_plain
from tests.faults.story import PERSON, Story
from tests.integration.city import (
    PATIENCE,
    City,
    a_city,
    persistently,
    until,
    walk_through,
)
from tests.journeys.judge import all_facts, judge, judge_mails
from tests.journeys.post import TOKEN, token_of
from tests.messaging.broker import state_of
from tests.waiting import LONG

pytestmark = pytest.mark.integration
FULL = os.environ.get("LETTERLOCK_SOAK") == "full"
SENDS, ROUNDS = (200, 20) if FULL else (20, 1)  # rounds: kills of each kind
AT_ONCE = 4  # people at a time
IN_FLIGHT = 20  # messages that lie in a queue when the broker ends
ASKED = "ask.crm"
OF_THE_CROWD = {"family of the crowd": "Testperson", "addresses": "@people.example"}


@pytest.fixture(scope="module")
def city() -> Iterator[City]:
    with a_city() as built:
        yield built


def test_the_main_job_passes_unchanged(city: City) -> None:
    walk_through(city)
    assert listed(city.settings) == []


@pytest.fixture(scope="module")
def story(city: City) -> Story:
    """Everything that anybody can do, done over the wire with private words."""
    system: Running = city  # type: ignore[assignment]  # all that a story asks of it
    story = Story(system)
    story.tell()
    return story


def test_everything_that_anybody_can_do_is_done_over_messages(story: Story) -> None:
    met = {"link token", "choices token", "ticket", "fresh token", "code link", "code"}
    assert met <= set(story.words)
    assert story.envelope


def test_any_process_may_be_killed_during_sends_and_views(city: City) -> None:
    began, people = time.monotonic(), People(city)
    people.sign_in()
    killer = Killer(city, seed=1938)
    strikes = len(killer.kinds) * ROUNDS

    def one(number: int) -> None:
        due = number * strikes // SENDS
        until(partial(killer.has_struck, due), "the next kill", patience=10 * PATIENCE)
        people.send_and_read(number, by_page=number % 5 == 0)

    killer.start()
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(one, number) for number in range(SENDS)]:
                done.result()
        until(partial(killer.has_struck, strikes), "the last kill")
    finally:
        killer.stop()
        people.close()
    assert set(killer.killed) == set(killer.kinds)
    assert len(people.sent) == SENDS
    facts = check_what_stands(city, set(people.sent))
    shown = Counter(
        record.event.envelope_id
        for record in facts
        if isinstance(record.event, EnvelopeViewed | LetterShown)
    )
    assert all(shown[envelope] >= seen for envelope, seen in people.shown.items())
    attempts = [r.event for r in facts if isinstance(r.event, RelayAttempted)]
    mails = [
        token_of(mail) for mail in city.mailbox.mails() if "/e/" in mail.part("plain")
    ]
    print(  # noqa: T201
        f"{len(people.sent)} sends, {people.shown.total()} letters shown, "
        f"{len(mails)} mails of {len(set(mails))} letters, "
        f"{sum(a.repeat for a in attempts)} attempts labelled as repeats, "
        f"in {time.monotonic() - began:.0f} s; kills: {dict(killer.killed)}; "
        f"slowest recovery, s: { {k: round(v, 1) for k, v in killer.slowest.items()} }"
    )


def read_letter(city: City, token: str) -> str:
    browser = "b" * 32
    asked = OpenEnvelope(token=token, browser=browser, answer="Testperson")
    visitor = context("recipient", "recipient", "recipient")
    public = city.public.envelope
    ticket = persistently(partial(public.open, asked, visitor))
    reading = ReadLetter(ticket=ticket.ticket, browser=browser)
    shown = context("recipient", "recipient", "recipient")
    return persistently(partial(public.read, reading, shown)).html


def check_what_stands(city: City, envelopes: set[str]) -> list[Recorded]:
    """Nothing lost, nothing doubled but the labelled exception (I1-I6)."""
    with opened(city.settings) as core:
        facts = all_facts(core.store)
        head = facts[-1].position
        for part in core.followed:
            names = [projection.name for projection in part.projections]
            shown = partial(part.readmodel.await_position, head, *names, timeout=0.1)
            until(shown, f"what {part.service} shows")
    assert judge(facts, gapless=city.settings.store_uri is None) == []
    assert judge_mails(facts, letters_in(city)) == []
    counted = Counter(
        (type(record.event).__name__, record.event.envelope_id)
        for record in facts
        if isinstance(record.event, EnvelopeSent | EnvelopeViewed)
        and record.event.envelope_id in envelopes
    )
    assert set(counted.values()) == {1}
    assert len(counted) == 2 * len(envelopes)
    return facts


def letters_in(city: City) -> list[Mail]:
    """Return the mails with the link of a letter; others carry a code or news."""
    return [mail for mail in city.mailbox.mails() if TOKEN.search(mail.part("plain"))]


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
        create = partial(city.apis.crm.create, person, context("staff", "sender"))
        letter = SendLetter(
            contact_id=persistently(create).ref,
            page=WELCOME,
            sender_name="Ms Anna Ferris",
        )
        pressed = context("staff", "sender")
        persistently(partial(city.apis.envelope.send, letter, pressed))

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
    create = partial(city.apis.crm.create, person, context("staff", "sender"))
    contact = persistently(create).ref
    letter = SendLetter(contact_id=contact, page=WELCOME, sender_name="Ms A Ferris")
    pressed = context("staff", "sender")
    city.node.kill()
    with pytest.raises(Fault):
        city.apis.envelope.send(letter, pressed)
    city.node.start()
    sent = persistently(partial(city.apis.envelope.send, letter, pressed))
    mail = until(partial(mail_to, city, address), "the mail")
    assert "Dear" in read_letter(city, token_of(mail))
    check_what_stands(city, {sent.envelope_id})


def test_an_rpc_process_ends_in_peace(city: City) -> None:
    child = city.supervisor.children["rpc letters"]
    process = child.process
    process.terminate()
    assert process.wait(LONG) == 0
    until(partial(is_back, child, process.pid), "the process again")
    await_ready(city.settings, city.supervisor)


def test_no_file_of_the_broker_and_no_log_holds_a_private_word(
    city: City, story: Story
) -> None:
    settings, words = city.settings, {**story.all_words, **OF_THE_CROWD}
    await_ready(settings, city.supervisor)
    before = len(listed(settings))
    leave_dead(settings, PERSON)
    until(lambda: len(listed(settings)) == before + 2, "the dead letters")
    city.end_processes()
    waiting = state_of(settings, ASKED).waiting
    leave_in_flight(settings, PERSON, IN_FLIGHT)
    assert state_of(settings, ASKED).waiting == waiting + IN_FLIGHT
    city.node.stop()
    assert list((settings.data / "broker" / "db").rglob("*"))
    assert list(city.node.log.glob("*.log"))
    logs = list(settings.folder.run.glob("*.log"))
    assert {f"{'-'.join(words[:2])}.log" for words in PROCESSES} - {
        path.name for path in logs
    } == {"web-mailbox.log"}
    assert search_folder(settings.data, words) == []
    assert not any(b"Traceback" in path.read_bytes() for path in logs)
    # The same search finds one word that lies there plain.
    city.node.start()
    leave_plain(settings, f"Dear {PERSON.title} {PERSON.family}")
    city.node.stop()
    found = {hit.where for hit in search_folder(settings.data, words)}
    assert found
    assert all(where.startswith("broker/db/") for where in found)
