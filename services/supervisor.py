"""Everything in processes of its own on one machine, with a broker nobody else uses."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final
from uuid import UUID

from services.brokerage import OPERATOR, create_accounts, definitions_of
from services.children import AGAIN, Supervisor
from services.compose import portal_url, viewer_url
from services.console import Console
from services.demo_data import STAFF, DemoIds, DemoOrganisation
from services.ground import SERVICES, grounded
from services.ports import ports_of_broker, ports_of_sites
from services.processes import asking
from services.talking import broker_of
from services.verbs import prepare_demo, sign_in_link
from shared.errors import Fault
from shared.fence import AlreadyFollowed, Fence
from shared.messaging.names import queue_of
from shared.messaging.node import Node
from shared.messaging.rabbit.broker import readers
from shared.ports import refuse_taken
from shared.settings import Settings, SettingsError

LOG: Final = logging.getLogger(__name__)
WORKERS: Final = ("crm", "letters", "envelope")
LOCK: Final = "supervisor.lock"  # in the folder of locks
READY: Final = 120.0  # s until every process answers
PROCESSES: Final[tuple[tuple[str, ...], ...]] = (
    *(("rpc", service) for service in SERVICES),
    ("follow", *SERVICES),
    ("work", *WORKERS),
    ("web", "portal"),
    ("web", "viewer"),
    ("web", "mailbox"),
)


@contextmanager
def alone(settings: Settings) -> Iterator[int]:
    """Keep other starts off this data folder; yield the lock, for children to keep.

    Raises:
        SettingsError: an earlier start, or a child that it left behind, still runs.
    """
    fence = Fence(settings.folder.run / LOCK)
    try:
        fence.take()
    except AlreadyFollowed:
        message = (
            f"{settings.data} is being served already by processes of its own; stop "
            "them with Ctrl+C there"
        )
        if pids := " ".join(map(str, fence.holders())):
            message += f" or, if they were left behind, with: kill {pids}"
        raise SettingsError(message) from None
    try:
        yield fence.file
    finally:
        fence.release()


@contextmanager
def broker(settings: Settings, keep: Sequence[int] = ()) -> Iterator[Node]:
    """Run a private RabbitMQ for this data folder; `keep` as `Node` has it.

    Raises:
        NoBroker: it is not installed, or did not come up.
    """
    create_accounts(settings)
    node = Node(
        settings.data / "broker",
        settings.broker_port,
        definitions_of(settings),
        keep=keep,
    )
    try:
        node.start()
        yield node
    finally:
        node.stop()


@contextmanager
def supervised(settings: Settings, keep: Sequence[int] = ()) -> Iterator[Supervisor]:
    """Run every process, ready; `supervisor.revive` is the caller's to call.

    Raises:
        Fault: not all of them answered in time.
    """
    supervisor = Supervisor(settings, keep)
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
    children = supervisor.children
    queues = {name: queue_of(c.words[1]) for name, c in children.items() if c.serves}
    end = time.monotonic() + READY
    user = broker_of(settings, OPERATOR)
    while True:
        read = readers(user, list(queues.values()))
        missing = [name for name, there in zip(queues, read, strict=True) if not there]
        missing += [
            name
            for name, port in ports.items()
            if name in children and not (children[name].runs and _listening(port))
        ]
        if not missing:
            return
        if time.monotonic() > end:
            told = ", ".join(missing)
            message = f"not up yet: {told}; see {settings.folder.run}/*.log"
            raise Fault(message)
        supervisor.revive()
        time.sleep(0.2)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(settings: Settings, console: Console, *, demo: bool) -> None:
    """Run everything until interrupted."""
    if demo:
        prepare_demo(settings)
    with grounded(settings):
        pass  # what is not fit to start with is told here, not in many logs
    with ExitStack() as stack:
        keep = [stack.enter_context(alone(settings))]
        refuse_taken([*ports_of_sites(settings), *ports_of_broker(settings)])
        console.say("Starting a private RabbitMQ and the processes ...")
        node = stack.enter_context(broker(settings, keep))
        supervisor = stack.enter_context(supervised(settings, keep))
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
            look_after(node, supervisor)
            time.sleep(AGAIN)


def look_after(node: Node, supervisor: Supervisor) -> None:
    """Start again what has ended, the broker too; to be called every second."""
    if not node.running:
        LOG.warning("the private RabbitMQ ended and is started again; see %s", node.log)
        try:
            node.start()
        except (Fault, OSError) as failed:
            LOG.error("the private RabbitMQ does not start: %s", failed)  # noqa: TRY400  # the reason is enough
    supervisor.revive()
    supervisor.keep_logs_small()


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
