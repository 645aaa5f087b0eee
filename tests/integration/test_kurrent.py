"""The main job over processes, a broker and a cluster's protocol instead of a file.

The cluster is the stand-in of `tests/kurrent`, over TLS and with credentials.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle

import pytest

from services.crm.commands import CreateContact
from services.dead_letters import listed
from services.demo_data import PEOPLE, REQUESTS
from services.envelope.commands import SendLetter
from services.supervisor import await_ready
from tests.faults.apart import WELCOME, context, is_back, mail_to
from tests.integration.city import City, a_city, persistently, until, walk_through
from tests.integration.test_processes import check_what_stands, read_letter
from tests.journeys.post import token_of
from tests.kurrent.guarded import a_guarded_store, way_to
from tests.kurrent.server import StandIn

pytestmark = pytest.mark.integration
SOON = 0.2  # s; about what a send takes
FULL = os.environ.get("LETTERLOCK_SOAK") == "full"
SENDS = 200 if FULL else 4


@dataclass
class Town:
    """The processes, and the store they share."""

    city: City
    store: StandIn


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("store")
    with ExitStack() as stack:
        store, root = a_guarded_store()
        stack.callback(store.stop)
        city = stack.enter_context(a_city(**way_to(store.port, root, folder)))
        yield Town(city, store)


def test_the_main_job_passes_unchanged(town: Town) -> None:
    city = town.city
    walk_through(city)
    assert listed(city.settings) == []


def test_a_process_may_be_killed_during_sends_and_views(town: Town) -> None:
    """In short, the three that a send needs; in full, each kind in turn."""
    city = town.city
    victims = ["rpc envelope", "rpc crm", "rpc letters"]
    if FULL:
        victims += sorted(city.supervisor.children.keys() - victims)
    turn = cycle(victims)
    chance = random.Random(1947)  # noqa: S311  # a seeded schedule
    sent: dict[str, str] = {}
    for number in range(SENDS):
        person = CreateContact(
            title="Mr",
            given="Tom",
            family="Testperson",
            email=f"tom.{number}@people.example",
        )
        entered = context("staff", "sender", f"{number:032x}")
        contact = persistently(partial(city.apis.crm.create, person, entered))
        letter = SendLetter(
            contact_id=contact.ref, page=WELCOME, sender_name="Ms Anna Ferris"
        )
        pressed = context("staff", "sender", f"{number:032x}")
        send = partial(city.apis.envelope.send, letter, pressed)
        with ExitStack() as stack:
            if number < len(victims) or number % 5 == 0:
                stack.enter_context(killed(city, next(turn), chance))
            done = persistently(send)
            assert persistently(send) == done
        sent[done.envelope_id] = person.email
    for envelope, address in sent.items():
        mail = until(partial(mail_to, city, address), f"mail of {envelope}")
        with ExitStack() as stack:
            if envelope in list(sent)[:: SENDS // 2]:
                stack.enter_context(killed(city, "rpc envelope", chance))
            assert "Dear Mr Tom Testperson" in read_letter(city, token_of(mail))
    await_ready(city.settings, city.supervisor)
    facts = check_what_stands(city, set(sent))
    assert facts[-1].position > len(facts), "there are holes to be read over"


def test_the_cluster_alone_holds_the_facts_and_tells_nothing(town: Town) -> None:
    data = town.city.settings.data
    assert not (data / "store.db").exists()
    entries = town.store.log.later(-1)
    ours = [entry for entry in entries if not entry.stream.startswith("$")]
    assert len(ours) > 100
    tom = PEOPLE["tom"]
    story = REQUESTS[0][2]["story"]
    for private in (tom.email, tom.postcode, story, "Testperson", "people.example"):
        for entry in entries:
            told = (entry.stream.encode(), entry.data, entry.metadata)
            assert not any(private.encode() in text for text in told)


def test_no_log_tells_a_name_or_the_account(town: Town) -> None:
    logs = list(town.city.settings.folder.run.glob("*.log"))
    told = "".join(path.read_text(errors="replace") for path in logs)
    assert "rpc-crm.log" in {path.name for path in logs}
    for private in ("Testperson", "people.example", "Traceback", "p@ss:w"):
        assert private not in told


@contextmanager
def killed(city: City, name: str, chance: random.Random) -> Iterator[None]:
    """Kill a process soon after the beginning; at the end it has been started again."""
    child = city.supervisor.children[name]
    victim = child.process.pid
    strike = partial(os.kill, victim, signal.SIGKILL)
    timer = threading.Timer(chance.uniform(0.0, SOON), strike)
    timer.start()
    try:
        yield
    finally:
        timer.join()
    until(partial(is_back, child, victim), f"{name} again")
