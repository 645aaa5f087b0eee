"""The processes of the distributed profile but rpc: plain Python, never patched."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final

from services.brokerage import prove_pairs
from services.compose import Apis, Part
from services.distributed import known, stood_up
from services.embedded import (
    EXPIRE_EVERY,
    POST_EVERY,
    Timer,
    mailbox_server,
    portal_server,
    viewer_server,
)
from services.ground import keks_of
from services.ports import ports_of
from services.talking import hinted, talking
from shared.clock import SystemClock
from shared.errors import Fault
from shared.failpoints import Failpoints
from shared.fence import AlreadyFollowed, Fence
from shared.flag import Flag
from shared.following import Runner
from shared.mailbox import Mailbox, MailSink
from shared.ports import refuse_taken
from shared.settings import Settings, SettingsError
from shared.web.sessions import Sessions

LOG: Final = logging.getLogger(__name__)
STAND_BY: Final = 1.0  # s between tries to take over from another process
WATCH: Final = timedelta(seconds=1)
FAREWELL: Final = 10.0  # s what runs gets to end
SITES: Final = ("portal", "viewer", "mailbox")


@contextmanager
def following(services: Sequence[str], settings: Settings) -> Iterator[None]:
    """Keep the read models of `services` going, or stand by for who does."""
    with _parts(services, settings, None) as (stack, parts):
        run = settings.folder.run
        followers = [part.followed.follower(run) for part in parts]
        for follower in followers:
            _keep(follower, stack)
        watch(followers, stack)
        yield


@contextmanager
def working(
    services: Sequence[str], settings: Settings, failpoints: Failpoints | None = None
) -> Iterator[None]:
    """Carry out reactions, mails and due times of `services`, or stand by.

    Raises:
        SettingsError: a service has no work of its own.
    """
    with _parts(services, settings, failpoints) as (stack, parts):
        run = settings.folder.run
        reactors: list[Runner[Any]] = []
        for part in parts:
            if not (part.followed.reactions or part.envelope):
                message = f"{part.followed.service} has no work to do"
                raise SettingsError(message)
            prove_pairs(settings, asks=part.followed.service)
            if part.followed.reactions:
                reactors.append(part.followed.reactor(run))
                _keep(reactors[-1], stack)
            if part.envelope:
                once = Once(Fence(run / "expirer.lock"), part.envelope.expirer.run_once)
                stack.callback(part.envelope.postman.close)
                stack.callback(once.close)
                _time(part.envelope.postman.run_once, POST_EVERY, stack)
                _time(once.run, EXPIRE_EVERY, stack)
                stack.callback(part.envelope.postman.leave)  # the first to hear of it
        watch(reactors, stack)
        yield


@contextmanager
def serving(site: str, settings: Settings) -> Iterator[None]:
    """Serve the pages of one site.

    Raises:
        SettingsError: there is no such site.
        WouldBeReadable: asked to listen beyond loopback without certificate.
        PortTaken: another program listens there.
    """
    refuse_taken(ports_of(settings, site))
    clock = SystemClock()
    with ExitStack() as stack:
        match site:
            case "portal":
                prove_pairs(settings, asks=site)
                talk = stack.enter_context(talking(settings, "portal"))
                sessions = Sessions(settings.folder.path / "sessions.db", clock)
                stack.callback(sessions.close)
                server = portal_server(settings, clock, talk.apis("portal"), sessions)
            case "viewer":
                prove_pairs(settings, asks=site)
                talk = stack.enter_context(talking(settings, "viewer"))
                server = viewer_server(settings, clock, talk.apis("viewer"))
            case "mailbox":
                mailbox = Mailbox(clock)
                sink = MailSink(mailbox, settings.smtp_port)
                sink.start()
                stack.callback(sink.stop)
                server = mailbox_server(settings, clock, mailbox)
            case _:
                message = f"there is no site {site!r}; there are: {', '.join(SITES)}"
                raise SettingsError(message)
        server.start()
        stack.callback(server.stop)
        yield


@contextmanager
def asking(settings: Settings) -> Iterator[Apis]:
    """Yield every operation as the portal may use it, asked over the broker."""
    with talking(settings, "portal") as talk:
        yield talk.apis("portal")


class Once:
    """Work that only one process on this host does at a time."""

    def __init__(self, fence: Fence, work: Callable[[], int]) -> None:
        """Do `work` behind `fence`."""
        self._fence = fence
        self._work = work

    def run(self) -> int:
        """Do it; 0 if another process holds the lock."""
        try:
            self._fence.take()
        except AlreadyFollowed:
            return 0
        return self._work()

    def close(self) -> None:
        """Let another process take over."""
        self._fence.release()


@contextmanager
def _parts(
    services: Sequence[str], settings: Settings, failpoints: Failpoints | None
) -> Iterator[tuple[ExitStack, list[Part]]]:
    for service in services:
        known(service)
    keks_of(settings.folder)
    with ExitStack() as stack:
        hints = stack.enter_context(hinted(settings, services[0]))
        parts: list[Part] = []
        for service in services:
            talk = stack.enter_context(talking(settings, service))
            stood = stood_up(
                service, settings, talk, hints=hints, failpoints=failpoints
            )
            parts.append(stack.enter_context(stood)[1])
        with ExitStack() as running:  # ends before what it runs on
            yield running, parts


def _time(work: Callable[[], int], every: timedelta, stack: ExitStack) -> None:
    timer = Timer(work, every)
    timer.start()
    stack.callback(timer.stop)


def _keep(runner: Runner[Any], stack: ExitStack) -> None:
    """Run a follower or reactor in a thread; wait while another process does."""
    stop = threading.Event()
    thread = threading.Thread(target=partial(_take_turns, runner, stop), daemon=True)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join(FAREWELL)
        runner.close()

    stack.callback(end)


def watch(runners: Sequence[Runner[Any]], stack: ExitStack) -> None:
    """Show a flag while one of them stands still until the program is mended."""
    flag = Flag()

    def look() -> int:
        failures = [failure for runner in runners for failure in runner.failures]
        flag.show(shown=any(failure.lasting for failure in failures))
        return 0

    stack.callback(partial(flag.show, shown=False))
    _time(look, WATCH, stack)


def _take_turns(runner: Runner[Any], stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            runner.prepare()
        except AlreadyFollowed:
            stop.wait(STAND_BY)
        except Fault as fault:
            LOG.warning("cannot follow yet: %s: %s", type(fault).__name__, fault)
            stop.wait(STAND_BY)
        else:
            runner.run(stop)
