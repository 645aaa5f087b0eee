"""Processes that are killed in turn, and people who go on sending and reading."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import requests
from typing_extensions import override

from services.browser import Browser
from services.children import Child
from services.crm.commands import CreateContact
from services.envelope.commands import SendLetter
from services.pages import Page
from services.supervisor import await_ready
from services.verbs import sign_in_link
from shared.context import CallContext
from shared.ids import mint
from shared.mailbox import Mail
from tests.integration.city import PATIENCE, City, persistently, until
from tests.journeys.post import token_of

BROKER: Final = "broker"
WELCOME: Final = "165120"  # a page of the demo that anybody may open by name
FAMILY: Final = "Testperson"
GREETING: Final = "Dear Mr Tom Testperson"
ENVELOPE: Final = re.compile(r"/messages/([0-9a-f]{32})")
FOUND: Final = 200
FAILED: Final = 500  # status from which a page says that it could not be done now


def context(kind: str, role: str, actor: str = "a" * 32) -> CallContext:
    """Return the context of one command."""
    command = mint()
    return CallContext(
        command_id=command,
        correlation_id=command,
        actor_id=actor,
        actor_kind=kind,  # type: ignore[arg-type]
        role=role,
    )


def is_back(child: Child, victim: int) -> bool:
    """Say whether a process runs in the place of `victim`."""
    return child.process.pid != victim and child.process.poll() is None


def mail_to(city: City, address: str) -> Mail | None:
    """Return the first mail to an address."""
    found = [m for m in city.mailbox.mails() if m.recipients == (address,)]
    return found[0] if found else None


class Killer(threading.Thread):
    """Kills one of each kind of process and the broker in turn.

    The next once the last has recovered: whatever people were doing was in its hands.
    """

    def __init__(self, city: City, seed: int) -> None:
        """Do nothing before it is started."""
        super().__init__(daemon=True)
        self._city = city
        self._random = random.Random(seed)  # noqa: S311  # a seeded schedule
        self._stop_asked = threading.Event()
        self.kinds = [*sorted(city.supervisor.children), BROKER]
        self._random.shuffle(self.kinds)
        self.killed: Counter[str] = Counter()  # and recovered
        self.strikes = 0
        self.slowest: dict[str, float] = {}  # s until all is ready again, by kind

    @override
    def run(self) -> None:
        while not self._stop_asked.wait(self._random.uniform(0.0, 0.7)):
            name = self.kinds[self.killed.total() % len(self.kinds)]
            struck = time.monotonic()
            self._broker() if name == BROKER else self._process(name)
            await_ready(self._city.settings, self._city.supervisor)
            took = time.monotonic() - struck
            self.slowest[name] = max(self.slowest.get(name, 0.0), took)
            self.killed[name] += 1

    def has_struck(self, times: int) -> bool:
        """Say whether it has killed that often. Fails if something did not recover."""
        assert self.is_alive(), "a process did not recover"
        return self.strikes >= times

    def stop(self) -> None:
        """Let the last victim recover, and kill no more."""
        self._stop_asked.set()
        self.join()

    def _process(self, name: str) -> None:
        child = self._city.supervisor.children[name]
        victim = child.process.pid
        os.kill(victim, signal.SIGKILL)
        self.strikes += 1
        until(partial(is_back, child, victim), f"{name} again")

    def _broker(self) -> None:
        self._city.node.kill()
        self.strikes += 1
        self._city.node.start()


def stubbornly(browser: Browser, act: Callable[[], Page]) -> Page:
    """Do `act` on the page at hand until the site can, as people press again."""
    stood, end = browser.page, time.monotonic() + PATIENCE
    while True:
        browser.page = stood
        try:
            page = act()
        except requests.RequestException:
            page = Page.empty()
        if 0 < page.status < FAILED:
            return page
        assert time.monotonic() < end, f"{stood.address} does not answer"
        time.sleep(0.1)


@dataclass(slots=True)
class People:
    """Anna at the portal's pages, others through the same operations, and readers."""

    city: City
    anna: Browser = field(default_factory=Browser)
    sent: dict[str, str] = field(default_factory=dict)  # envelope -> address
    shown: Counter[str] = field(default_factory=Counter)  # envelope -> letters seen
    _pages: threading.Lock = field(default_factory=threading.Lock)

    def sign_in(self) -> None:
        """Let Anna in."""
        city, anna = self.city, self.anna
        link = sign_in_link(city.apis, city.settings, city.ids.staff["anna"])
        anna.get(link)
        assert anna.submit("Sign in").status == 200

    def send_and_read(self, number: int, *, by_page: bool) -> None:
        """Enter a person, send them a letter, and be that person and read it."""
        address = f"tom.{number}@people.example"
        person = CreateContact(title="Mr", given="Tom", family=FAMILY, email=address)
        entered = context("staff", "sender", f"{number:032x}")
        create = partial(self.city.apis.crm.create, person, entered)
        contact = persistently(create).ref
        send = self._by_page if by_page else self._by_operation
        envelope = send(contact, f"{number:032x}")
        self.sent[envelope] = address
        mail = until(partial(mail_to, self.city, address), f"mail of {envelope}")
        self._read(envelope, f"{self.city.viewer}/e/{token_of(mail)}")

    def close(self) -> None:
        """Close the browser."""
        self.anna.close()

    def _by_operation(self, contact: str, actor: str) -> str:
        letter = SendLetter(
            contact_id=contact, page=WELCOME, sender_name="Ms Anna Ferris"
        )
        pressed = context("staff", "sender", actor)
        send = partial(self.city.apis.envelope.send, letter, pressed)
        done = persistently(send)
        assert persistently(send) == done  # an impatient person
        return done.envelope_id

    def _by_page(self, contact: str, actor: str) -> str:
        del actor
        anna, address = self.anna, f"{self.city.portal}/contacts/{contact}/new"
        with self._pages:
            asked = partial(anna.get, address)
            # Until the list shows the person, there is no such page.
            until(lambda: stubbornly(anna, asked).status == FOUND, "the new person")
            filled = partial(anna.fill, page=WELCOME, record="", act="send")
            page = stubbornly(anna, filled)
            assert page.title.startswith("Check before sending"), page.text
            page = stubbornly(anna, partial(anna.submit, "Yes, send this letter"))
            found = ENVELOPE.search(page.address)
            assert found, page.text
            return found.group(1)

    def _read(self, envelope: str, link: str) -> None:
        tom = Browser()
        try:
            page = stubbornly(tom, partial(tom.get, link))
            assert GREETING not in page.text
            answered = partial(tom.submit, "Open the letter", answer=FAMILY)
            page = stubbornly(tom, answered)
            assert GREETING in page.text, page.text
            again = partial(tom.get, f"{self.city.viewer}/letter")
            page = stubbornly(tom, again)
            assert GREETING in page.text, page.text
        finally:
            tom.close()
        self.shown[envelope] += 2
