"""Everything in processes of its own on one machine, with a broker nobody else uses."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess  # nosec B404  # our own program, no shell
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.brokerage import OPERATOR, create_accounts, definitions_of
from services.compose import holds_organisation, portal_url, viewer_url
from services.console import Console
from services.demo_data import STAFF, DemoIds, DemoOrganisation
from services.ground import SERVICES
from services.processes import asking
from services.talking import broker_of
from services.verbs import prepare_demo, sign_in_link
from shared.errors import Fault
from shared.messaging.names import queue_of
from shared.messaging.node import Node
from shared.messaging.rabbit.broker import readers
from shared.settings import Settings, SettingsError

LOG: Final = logging.getLogger(__name__)
WORKERS: Final = ("crm", "letters", "envelope")
READY: Final = 120.0  # s until every process answers
AGAIN: Final = 1.0  # s before a process that ended is started again
FAREWELL: Final = 15.0  # s a process gets to end
PROCESSES: Final[tuple[tuple[str, ...], ...]] = (
    *(("rpc", service) for service in SERVICES),
    ("follow", *SERVICES),
    ("work", *WORKERS),
    ("web", "portal"),
    ("web", "viewer"),
    ("web", "mailbox"),
)


@dataclass(slots=True)
class Child:
    """One process, started again whenever it ends."""

    words: tuple[str, ...]
    process: subprocess.Popen[bytes]
    ended: float = 0.0

    @property
    def serves(self) -> bool:
        """Tell whether it answers questions."""
        return self.words[0] == "rpc"

    @property
    def name(self) -> str:
        """Return what a person calls it, such as `rpc crm`."""
        return " ".join(self.words[:2])


class Supervisor:
    """Starts processes of `letterlock`, and starts again what ends."""

    def __init__(self, settings: Settings) -> None:
        """Give all children these settings."""
        self._settings = settings
        self._lock = threading.Lock()
        self.children: dict[str, Child] = {}

    def start(self, words: tuple[str, ...], **extra: str) -> Child:
        """Start one process; `extra` variables are for it alone, and once."""
        child = Child(words=words, process=self._spawn(words, extra))
        self.children[child.name] = child
        return child

    def revive(self) -> int:
        """Start again what ended a while ago; return how many. Any thread may."""
        with self._lock:
            return sum(self._revived(child) for child in self.children.values())

    def _revived(self, child: Child) -> bool:
        if child.process.poll() is None:
            return False
        now = time.monotonic()
        if not child.ended:
            child.ended = now
            LOG.warning("%s ended: %s", child.name, child.process.returncode)
            return False
        if now - child.ended < AGAIN:
            return False
        child.process, child.ended = self._spawn(child.words, {}), 0.0
        return True

    def stop(self) -> None:
        """End all, web first, so that nobody is refused half way."""
        for child in reversed(self.children.values()):
            child.process.terminate()
        end = time.monotonic() + FAREWELL
        for child in self.children.values():
            try:
                child.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        self.children.clear()

    def _spawn(
        self, words: Sequence[str], extra: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        log = self._settings.folder.run / f"{'-'.join(words[:2])}.log"
        program = ["-m", "services", *words]
        if words[0] == "rpc":  # what `letterlock rpc` becomes
            variables = json.dumps({**self._settings.env(), **extra})
            program = ["-m", "services.rpc", words[1], variables]
        with log.open("ab") as out:
            return subprocess.Popen(  # noqa: S603  # nosec B603  # our own words
                [sys.executable, *program],
                env={
                    "PATH": os.defpath,
                    "LANG": "C.UTF-8",
                    "PYTHONDONTWRITEBYTECODE": "1",
                    **self._settings.env(),
                    **extra,
                },
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )


@contextmanager
def broker(settings: Settings) -> Iterator[Node]:
    """Run a private RabbitMQ for this data folder.

    Raises:
        NoBroker: it is not installed, or did not come up.
    """
    create_accounts(settings)
    node = Node(
        settings.data / "broker", settings.broker_port, definitions_of(settings)
    )
    try:
        node.start()
        yield node
    finally:
        node.stop()


@contextmanager
def supervised(settings: Settings) -> Iterator[Supervisor]:
    """Run every process, ready; `supervisor.revive` is the caller's to call.

    Raises:
        Fault: not all of them answered in time.
    """
    supervisor = Supervisor(settings)
    try:
        for words in PROCESSES:
            if words != ("web", "mailbox") or settings.built_in_mailbox:
                supervisor.start(words)
        await_ready(settings, supervisor)
        yield supervisor
    finally:
        supervisor.stop()


def await_ready(settings: Settings, supervisor: Supervisor) -> None:
    """Wait until every service reads its queue and every site listens.

    Raises:
        Fault: one of them does not.
    """
    ports = {
        "web portal": settings.portal_port,
        "web viewer": settings.viewer_port,
        "web mailbox": settings.mailbox_port,
    }
    queues = [queue_of(c.words[1]) for c in supervisor.children.values() if c.serves]
    waited = [ports[name] for name in supervisor.children if name in ports]
    end = time.monotonic() + READY
    user = broker_of(settings, OPERATOR)
    while not (_listening(waited) and all(readers(user, queues))):
        if time.monotonic() > end:
            message = f"not all processes came up; see {settings.folder.run}/*.log"
            raise Fault(message)
        supervisor.revive()
        time.sleep(0.2)


def _listening(ports: Sequence[int]) -> bool:
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return False
    return True


def run(settings: Settings, console: Console, *, demo: bool) -> None:
    """Run everything until interrupted."""
    if demo:
        prepare_demo(settings)
    elif not holds_organisation(settings.folder):
        message = f"{settings.data} holds no organisation; run: letterlock init"
        raise SettingsError(message)
    with ExitStack() as stack:
        console.say("Starting a private RabbitMQ and the processes ...")
        stack.enter_context(broker(settings))
        supervisor = stack.enter_context(supervised(settings))
        console.say("Letterlock is running in processes of its own, here only.")
        console.say()
        console.say(f"  Portal, for staff        {portal_url(settings)}")
        console.say(f"  Viewer, for recipients   {viewer_url(settings)}")
        if settings.built_in_mailbox:
            mailbox = f"http://127.0.0.1:{settings.mailbox_port}"
            console.say(f"  Mailbox, for trying out  {mailbox}")
        console.say(f"  Logs                     {settings.folder.run}/*.log")
        console.say()
        if demo:
            _tell_demo(settings, console)
        console.say("Stop with Ctrl+C.")
        while True:
            supervisor.revive()
            time.sleep(AGAIN)


def enter_demo(settings: Settings) -> DemoIds:
    """Enter what is missing of the demo organisation, asking the processes."""
    seed = UUID((settings.data / "demo-seed").read_text().strip())
    with asking(settings) as apis:
        return DemoOrganisation(
            staff=apis.staff,
            crm=apis.crm,
            letters=apis.letters,
            envelope=apis.envelope,
            seed=seed,
        ).enter()


def _tell_demo(settings: Settings, console: Console) -> None:
    ids = enter_demo(settings)
    console.say("Sign in once with one of these links (each lasts a day):")
    console.say()
    with asking(settings) as apis:
        for person in STAFF:
            link = sign_in_link(apis, settings, ids.staff[person.key])
            console.say(f"  {person.role:<11}{person.formal_name:<20}{link}")
    console.say()
