"""The whole product in processes of its own, with a test's broker and mailbox."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from services.compose import Apis, portal_url, viewer_url
from services.demo_data import DemoIds
from services.supervisor import PROCESSES, Supervisor, await_ready, enter_demo
from services.talking import talking
from services.verbs import prepare_demo
from shared.clock import SystemClock
from shared.errors import Fault
from shared.mailbox import Mailbox, MailSink
from shared.messaging.node import Node
from shared.settings import Settings
from tests.messaging.broker import free_settings, private_broker

T = TypeVar("T")
PATIENCE = 60.0


@dataclass
class Folder:
    """What a walk asks of the core: its settings alone."""

    settings: Settings


@dataclass
class City:
    """As `services.embedded.Running`, but in processes."""

    core: Folder
    apis: Apis  # as the portal
    public: Apis  # as the viewer
    mailbox: Mailbox
    portal: str
    viewer: str
    ids: DemoIds
    supervisor: Supervisor
    node: Node

    @property
    def settings(self) -> Settings:
        return self.core.settings


@contextmanager
def a_city(**more: str) -> Iterator[City]:
    """Build the demo organisation over all processes; end them all afterwards.

    `more` are settings, as variables of the environment.
    """
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="letterlock-"))
        )
        settings = free_settings(folder, **more)
        prepare_demo(settings)
        mailbox = Mailbox(SystemClock())
        sink = MailSink(mailbox, settings.smtp_port)
        sink.start()
        stack.callback(sink.stop)
        node = stack.enter_context(private_broker(settings))
        supervisor = Supervisor(settings)
        stack.callback(supervisor.stop)
        for words in PROCESSES:
            if words != ("web", "mailbox"):
                supervisor.start(words)
        await_ready(settings, supervisor)
        stack.enter_context(watched(supervisor))
        portal = stack.enter_context(talking(settings, "portal"))
        viewer = stack.enter_context(talking(settings, "viewer"))
        yield City(
            core=Folder(settings),
            apis=portal.apis("portal"),
            public=viewer.apis("viewer"),
            mailbox=mailbox,
            portal=portal_url(settings),
            viewer=viewer_url(settings),
            ids=enter_demo(settings),
            supervisor=supervisor,
            node=node,
        )


@contextmanager
def watched(supervisor: Supervisor) -> Iterator[None]:
    """Start again whatever ends, as `letterlock run-distributed` does."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            supervisor.revive()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def until(wanted: Callable[[], T], what: str) -> T:
    """Return the first true answer within a minute."""
    end = time.monotonic() + PATIENCE
    while not (found := wanted()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)
    return found


def persistently(ask: Callable[[], T]) -> T:
    """Ask again, as a person presses again, until the answer is not a fault."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except Fault:
            assert time.monotonic() < end
