"""The whole product in processes of its own, with a test's broker and mailbox."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from services.children import Supervisor
from services.compose import Apis, portal_url, viewer_url
from services.console import Console
from services.demo_data import DemoIds
from services.embedded import Running
from services.supervisor import PROCESSES, await_ready, enter_demo
from services.talking import talking
from services.verbs import prepare_demo, sign_in_link
from services.walk import Walk
from shared.clock import Clock, SystemClock
from shared.errors import Fault
from shared.messaging.node import Node
from shared.settings import Settings
from tests.journeys.post import Post, listening
from tests.messaging.broker import free_settings, private_broker
from tests.waiting import LONG

T = TypeVar("T")
PATIENCE = 2 * LONG


@dataclass
class Folder:
    """What walks and stories ask of the core: settings, time, operations."""

    settings: Settings
    callers: Mapping[str, Apis]
    clock: Clock

    def apis(self, caller: str) -> Apis:
        """Return the operations as `caller` has them."""
        return self.callers[caller]


@dataclass
class City:
    """As `services.embedded.Running`, but in processes."""

    core: Folder
    apis: Apis  # as the portal
    public: Apis  # as the viewer
    mailbox: Post
    portal: str
    viewer: str
    ids: DemoIds
    supervisor: Supervisor
    node: Node
    watch: ExitStack  # what starts again whatever ends

    def end_processes(self) -> None:
        """End every process for good; the broker stays."""
        self.watch.close()
        self.supervisor.stop()

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
        mailbox = Post()
        stack.enter_context(listening(mailbox, settings.smtp_port))
        node = stack.enter_context(private_broker(settings))
        supervisor = Supervisor(settings)
        stack.callback(supervisor.stop)
        for words in PROCESSES:
            if words != ("web", "mailbox"):
                supervisor.start(words)
        await_ready(settings, supervisor)
        watch = stack.enter_context(ExitStack())
        watch.enter_context(watched(supervisor))
        portal = stack.enter_context(talking(settings, "portal"))
        viewer = stack.enter_context(talking(settings, "viewer"))
        apis, public = portal.apis("portal"), viewer.apis("viewer")
        callers = {"portal": apis, "viewer": public}
        yield City(
            core=Folder(settings, callers, SystemClock()),
            apis=apis,
            public=public,
            mailbox=mailbox,
            portal=portal_url(settings),
            viewer=viewer_url(settings),
            ids=enter_demo(settings),
            supervisor=supervisor,
            node=node,
            watch=watch,
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


def until(wanted: Callable[[], T], what: str, *, patience: float = PATIENCE) -> T:
    """Return the first true answer within `patience` s."""
    end = time.monotonic() + patience
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


def walk_through(city: City) -> None:
    """Do the main job over HTTP and SMTP; every check of it must hold."""
    link = sign_in_link(city.apis, city.settings, city.ids.staff["anna"])
    system: Running = city  # type: ignore[assignment]  # all that a walk asks of it
    walk = Walk(system, city.ids, link, Console(json=False, quiet=True))
    try:
        told = walk.go()
    except Exception as error:
        add_logs(city, error)
        raise
    assert told.checks
    assert {name for name, held in told.checks.items() if not held} == set()


def add_logs(city: City, error: Exception) -> None:
    """Let an error tell the end of every process's log."""
    for log in city.settings.folder.run.glob("*.log"):
        error.add_note(f"{log.name}: {log.read_text()[-2000:]}")
