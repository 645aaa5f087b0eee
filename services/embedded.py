"""The embedded profile: every service, site and timer in one process, no server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.compose import Apis, Core, opened, portal_url, viewer_url
from services.portal.web import PortalApis, build_portal_app
from services.viewer.web import ViewerApis, build_viewer_app
from shared.clock import Clock
from shared.errors import Fault
from shared.failpoints import Failpoints
from shared.follow import FollowerThread
from shared.frames import log_place
from shared.mailbox import Mailbox, MailSink
from shared.settings import Settings
from shared.web.app import build_app
from shared.web.mailbox import mailbox_pages
from shared.web.server import WebServer
from shared.web.sessions import Sessions
from shared.web.settings import WebSettings

LOG: Final = logging.getLogger(__name__)
POST_EVERY: Final = timedelta(seconds=0.25)
EXPIRE_EVERY: Final = timedelta(seconds=5)
FAREWELL: Final = 10.0  # seconds a timer gets to finish what it does


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running system, its addresses and its mailbox."""

    core: Core
    apis: Apis  # as the portal
    mailbox: Mailbox
    portal: str
    viewer: str
    mailbox_address: str


@contextmanager
def running(
    settings: Settings,
    *,
    clock: Clock | None = None,
    failpoints: Failpoints | None = None,
) -> Iterator[Running]:
    """Start everything; stop it gracefully at the end.

    What a kill left behind is taken up again: read models go on from their checkpoints,
    reactions and mails from theirs.

    Raises:
        SettingsError: the data folder is missing or not fit to start with.
        WouldBeReadable: asked to listen beyond loopback without certificate and key.
        AlreadyFollowed: another process runs this data folder.
        OSError: a port is taken.
    """
    with ExitStack() as stack:
        core = stack.enter_context(opened(settings, clock=clock, failpoints=failpoints))
        mailbox = Mailbox(core.clock)
        if settings.built_in_mailbox:
            sink = MailSink(mailbox, settings.smtp_port)
            sink.start()
            stack.callback(sink.stop)
        for follower in core.followers():
            stack.callback(follower.close)
            follower.prepare()
            thread = FollowerThread(follower)
            thread.start()
            stack.callback(thread.stop)
        stack.callback(core.envelope.postman.close)
        for work, every in (
            (core.envelope.postman.run_once, POST_EVERY),
            (core.envelope.expirer.run_once, EXPIRE_EVERY),
        ):
            timer = Timer(work, every)
            timer.start()
            stack.callback(timer.stop)
        stack.callback(core.envelope.postman.leave)  # before it is waited for
        sites = _sites(core, mailbox, stack)
        for server in sites:
            server.start()
            stack.callback(server.stop)
        yield Running(
            core=core,
            apis=core.apis("portal"),
            mailbox=mailbox,
            portal=portal_url(settings),
            viewer=viewer_url(settings),
            mailbox_address=f"http://127.0.0.1:{settings.mailbox_port}",
        )


class Timer:
    """Runs a piece of work again and again in a thread, until stopped."""

    def __init__(self, work: Callable[[], int], every: timedelta) -> None:
        """Run `work` each `every`; at once again while it finds something to do."""
        self._work = work
        self._every = every.total_seconds()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the run at hand, then end."""
        self._stop.set()
        self._thread.join(FAREWELL)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                found = self._work()
            except Fault as fault:
                LOG.warning("work waits: %s", type(fault).__name__)
                found = 0
            except Exception as error:  # noqa: BLE001  # the work is taken up again
                log_place(LOG, "work failed", error)
                found = 0
            if not found:
                self._stop.wait(self._every)


def _sites(core: Core, mailbox: Mailbox, stack: ExitStack) -> list[WebServer]:
    settings, clock = core.settings, core.clock
    sessions = Sessions(settings.folder.path / "sessions.db", clock)
    stack.callback(sessions.close)
    servers = [
        portal_server(settings, clock, core.apis("portal"), sessions),
        viewer_server(settings, clock, core.apis("viewer")),
    ]
    if settings.built_in_mailbox:
        servers.append(mailbox_server(settings, clock, mailbox))
    return servers


def portal_server(
    settings: Settings, clock: Clock, apis: Apis, sessions: Sessions
) -> WebServer:
    """Return the server of the staff's pages; it does not listen yet."""
    app = build_portal_app(
        PortalApis(
            crm=apis.crm,
            letters=apis.letters,
            envelope=apis.envelope,
            audit=apis.audit,
            staff=apis.staff,
        ),
        settings=WebSettings(
            site="portal",
            base_url=portal_url(settings),
            tls=portal_url(settings).startswith("https:"),
            trusted_proxies=settings.trusted_proxies,
        ),
        clock=clock,
        sessions=sessions,
    )
    return WebServer(
        app,
        settings.host,
        settings.portal_port,
        certificate=settings.certificate,
        key=settings.private_key,
        trusted=settings.trusted_proxies,
    )


def viewer_server(settings: Settings, clock: Clock, apis: Apis) -> WebServer:
    """Return the server of the recipients' pages; it does not listen yet."""
    app = build_viewer_app(
        ViewerApis(envelope=apis.envelope),
        settings=WebSettings(
            site="viewer",
            base_url=viewer_url(settings),
            tls=viewer_url(settings).startswith("https:"),
            trusted_proxies=settings.trusted_proxies,
        ),
        clock=clock,
    )
    return WebServer(
        app,
        settings.host,
        settings.viewer_port,
        certificate=settings.certificate,
        key=settings.private_key,
        trusted=settings.trusted_proxies,
    )


def mailbox_server(settings: Settings, clock: Clock, mailbox: Mailbox) -> WebServer:
    """Return the server of the built-in mailbox; on this machine only."""
    address = f"http://127.0.0.1:{settings.mailbox_port}"
    app = build_app(
        "mailbox",
        settings=WebSettings(site="viewer", base_url=address),
        clock=clock,
        blueprints=[mailbox_pages(mailbox)],
    )
    return WebServer(app, "127.0.0.1", settings.mailbox_port)
