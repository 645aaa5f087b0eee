"""A whole house for the portal's pages: real services over a temporary folder."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.test import TestResponse

from services.compose import Apis, Core, create_data, opened
from services.demo_data import DemoIds, DemoOrganisation
from services.portal.web import PortalApis, build_portal_app
from shared.clock import ManualClock
from shared.follow import FollowerThread
from shared.ids import mint
from shared.settings import Settings
from shared.web.cookies import SESSION
from shared.web.sessions import Sessions
from shared.web.settings import WebSettings
from tests.ports import a_quiet_port

BASE = "http://127.0.0.1:8400"
AFTERNOON = datetime(2026, 11, 25, 14, 5, tzinfo=UTC)
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@dataclass
class House:
    """The running parts, the demo people, and the app."""

    core: Core
    apis: Apis
    ids: DemoIds
    app: Flask
    sessions: Sessions
    clock: ManualClock

    def browser(self, person: str | None = None) -> Browser:
        """Return a browser, signed in as one of the demo staff if one is named."""
        made = Browser(self.app, self.settle)
        if person:
            token = self.sessions.start(self.ids.staff[person])
            made.client.set_cookie(SESSION, token, domain="127.0.0.1")
        return made

    def settle(self) -> None:
        """Wait until every list shows every fact: people are slower than followers."""
        newest = max(record.position for record in self.core.store.read_all(0, 100_000))
        for part in self.core.followed:
            names = [projection.name for projection in part.projections]
            assert part.readmodel.await_position(newest, *names, timeout=60)


class Browser:
    """Fetches pages and sends forms as a browser does."""

    def __init__(self, app: Flask, settle: Callable[[], None]) -> None:
        self.client = app.test_client()
        self._settle = settle

    def get(self, path: str) -> TestResponse:
        self._settle()
        return self.client.get(path, base_url=BASE)

    def post(
        self,
        path: str,
        fields: Mapping[str, object] | None = None,
        *,
        token: bool = True,
    ) -> TestResponse:
        """Send a form; its token is taken from a page of ours, as a person's is."""
        sent = dict(fields or {})
        if token:
            sent["_csrf"] = self.token()
        self._settle()
        return self.client.post(
            path, base_url=BASE, data=sent, headers={"Sec-Fetch-Site": "same-origin"}
        )

    def act(
        self, path: str, fields: Mapping[str, object] | None = None
    ) -> TestResponse:
        """Send a form that carries a fresh command id."""
        return self.post(path, {"command_id": str(mint()), **(fields or {})})

    def again(self, answer: TestResponse) -> TestResponse:
        """Load the page that a form without effect leads to: a GET, as often as wanted.

        Its address holds nothing that was typed; only that something was kept.
        """
        assert answer.status_code == 303
        assert re.search(r"[?&]kept=yes\Z", place(answer))
        return self.get(place(answer))

    def wrong(self, answer: TestResponse) -> TestResponse:
        """Load that page, and see that it tells of an error."""
        page = self.again(answer)
        assert page.status_code == 200
        assert "<title>Error: " in page.text
        assert "There is a problem" in words(page)
        return page

    def token(self) -> str:
        """Return the token of a page that every role may see."""
        for path in ("/account", "/sign-in"):
            found = dict(HIDDEN.findall(self.get(path).text))
            if "_csrf" in found:
                return str(found["_csrf"])
        message = "no page holds a token"
        raise AssertionError(message)


@contextmanager
def open_house(folder: Path) -> Iterator[House]:
    """Open the demo organisation in `folder`, on a clock that stands still."""
    settings = Settings.from_env(
        {
            "LETTERLOCK_DATA": str(folder / "data"),
            "LETTERLOCK_SMTP_PORT": str(a_quiet_port()),  # no relay is there
        }
    )
    create_data(settings.folder)
    clock = ManualClock(AFTERNOON)
    with ExitStack() as stack:
        core = stack.enter_context(opened(settings, clock=clock))
        apis = core.apis("portal")
        for follower in core.followers():
            follower.prepare()
            thread = FollowerThread(follower)
            thread.start()
            stack.callback(thread.stop)
        ids = DemoOrganisation(
            staff=apis.staff,
            crm=apis.crm,
            letters=apis.letters,
            envelope=apis.envelope,
            seed=mint(),
        ).enter()
        sessions = Sessions(folder / "sessions.db", clock)
        stack.callback(sessions.close)
        app = build_portal_app(
            PortalApis(
                crm=apis.crm,
                letters=apis.letters,
                envelope=apis.envelope,
                audit=apis.audit,
                staff=apis.staff,
            ),
            settings=WebSettings(site="portal", base_url=BASE),
            clock=clock,
            sessions=sessions,
        )
        yield House(core, apis, ids, app, sessions, clock)


def words(answer: TestResponse) -> str:
    """Return what a page says, without tags, spaces made one."""
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    told = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())
    return re.sub(r" ([,.\]])", r"\1", told)


def place(answer: TestResponse) -> str:
    """Return where a redirect leads: path and query."""
    parts = urlsplit(answer.headers["Location"])
    return parts.path + (f"?{parts.query}" if parts.query else "")
