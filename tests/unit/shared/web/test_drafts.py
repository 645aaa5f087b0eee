"""What was typed and not accepted comes back by GET, to its own browser only."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Blueprint, redirect, request
from werkzeug import Response

from shared.clock import ManualClock
from shared.web.app import build_app
from shared.web.cookies import SESSION
from shared.web.forms import PageForm, boxes, day, password, text
from shared.web.sessions import MOST_DRAFTS, Sessions, sign_out
from shared.web.settings import WebSettings
from tests.web_checks import Browser, Site

BASE = "http://127.0.0.1:8400"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANN, BO = "a" * 32, "b" * 32
TYPED = {
    "name": "Wren of Exampleton",
    "stops": ["one", "two"],
    "born": ["31", "2", "1980"],
    "secret": "calm herons wade",
}


class PersonForm(PageForm):
    name = text("Name")
    stops = boxes("Stops", [("one", "One"), ("two", "Two"), ("three", "Three")])
    born = day("Born")
    secret = password("Secret")


class Drafting:
    """A site with one form at any address, and the file its sessions lie in."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(NOON)
        self.folder = folder
        self.sessions = Sessions(folder / "sessions.db", self.clock)
        self.app = build_app(
            "drafting",
            settings=WebSettings(site="portal", base_url=BASE),
            clock=self.clock,
            blueprints=[form_pages(self.sessions)],
            sessions=self.sessions,
        )

    def browser(self, actor: str = ANN) -> Browser:
        made = Site(app=self.app, base_url=BASE).browser()
        made.plant(SESSION, self.sessions.start(actor))
        return made

    def on_disk(self) -> bytes:
        """Return every byte kept; the file is closed before it is read."""
        self.sessions.close()
        return b"".join(path.read_bytes() for path in self.folder.iterdir())


def form_pages(sessions: Sessions) -> Blueprint:
    pages = Blueprint("people", __name__)

    @pages.get("/people/<person>")
    def show(person: str) -> dict[str, object]:
        form = PersonForm.read(name=f"on file: {person}")
        errors = [error["text"] for error in form.summary]
        return {"data": form.data, "errors": errors}

    @pages.post("/people/<person>")
    def change(person: str) -> Response:
        form = PersonForm.read()
        if form.accepted() and form.name.data not in ("taken", "moved"):
            return redirect(f"/people/{person}", 303)
        if form.name.data == "moved":
            return form.again("/people/9")
        if person == "by-page":
            return form.again(f"/people/by-page?page={request.args['page']}")
        if form.name.data == "taken":
            form.blame("name", "There is such a person")
        return form.again()

    @pages.post("/leave")
    def leave() -> Response:
        return sign_out(redirect("/people/1", 303), sessions)

    return pages


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Drafting]:
    made = Drafting(tmp_path)
    yield made
    made.sessions.close()


def name_at(browser: Browser, path: str) -> str:
    shown = browser.get(path)
    assert shown.status_code == 200
    assert shown.json
    return str(shown.json["data"]["name"])


def test_an_error_comes_by_get_with_what_was_typed(site: Drafting) -> None:
    ann = site.browser()
    answer = ann.post("/people/7?after=9&kept=no", TYPED)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/people/7?kept=yes"  # nothing is repeated
    for _ in range(2):  # reloading, and coming back to it
        shown = ann.get(answer.headers["Location"]).json
        assert shown
        assert shown["data"]["name"] == "Wren of Exampleton"
        assert shown["data"]["stops"] == ["one", "two"]
        assert [told.startswith("Enter a real date") for told in shown["errors"]] == [
            True
        ]


def test_a_form_that_differs_by_its_query_shows_nothing_of_another(
    site: Drafting,
) -> None:
    ann = site.browser()
    kept = ann.post("/people/by-page?page=2", TYPED).headers["Location"]
    assert kept == "/people/by-page?page=2&kept=yes"
    assert name_at(ann, kept) == "Wren of Exampleton"
    assert name_at(ann, "/people/by-page?page=1&kept=yes") == "on file: by-page"


def test_a_draft_kept_for_another_page_leaves_none_where_it_was_sent(
    site: Drafting,
) -> None:
    ann = site.browser()
    ann.post("/people/new", TYPED)
    assert name_at(ann, "/people/new?kept=yes") == "Wren of Exampleton"
    moved = ann.post("/people/new", {"name": "moved"}).headers["Location"]
    assert name_at(ann, moved) == "moved"
    assert name_at(ann, "/people/new?kept=yes") == "on file: new"


def test_what_the_business_objects_to_comes_back_too(site: Drafting) -> None:
    ann = site.browser()
    shown = ann.get(ann.post("/people/7", {"name": "taken"}).headers["Location"]).json
    assert shown
    assert shown["errors"] == ["There is such a person"]


def test_a_plain_visit_shows_what_is_on_file(site: Drafting) -> None:
    ann = site.browser()
    ann.post("/people/7", TYPED)
    assert name_at(ann, "/people/7") == "on file: 7"
    assert name_at(ann, "/people/8?kept=yes") == "on file: 8"


def test_a_password_is_never_kept(site: Drafting) -> None:
    ann = site.browser()
    shown = ann.get(ann.post("/people/7", TYPED).headers["Location"])
    assert "herons" not in shown.text


def test_nothing_typed_stands_in_file_address_or_log(
    site: Drafting, caplog: pytest.LogCaptureFixture
) -> None:
    ann = site.browser()
    with caplog.at_level(logging.DEBUG):
        answer = ann.post("/people/7", TYPED)
        ann.get(answer.headers["Location"])
    told = site.on_disk() + caplog.text.encode() + str(answer.headers).encode()
    for secret in (b"Wren", b"Exampleton", b"herons", b"/people/7\x00"):
        assert secret not in told
    assert ann.cookie(SESSION).encode() not in told


def test_nobody_else_gets_to_see_it(site: Drafting) -> None:
    ann, bo, elsewhere = site.browser(), site.browser(BO), site.browser()
    place = ann.post("/people/7", TYPED).headers["Location"]
    for other in (bo, elsewhere):
        assert name_at(other, place) == "on file: 7"
    stranger = Site(app=site.app, base_url=BASE).browser()
    assert name_at(stranger, place) == "on file: 7"


def test_it_is_forgotten_once_the_form_is_accepted(site: Drafting) -> None:
    ann = site.browser()
    place = ann.post("/people/7", TYPED).headers["Location"]
    ann.post("/people/8", {"name": "Bo"})
    assert name_at(ann, place) == "Wren of Exampleton"
    ann.post("/people/7", {"name": "Wren"})
    assert name_at(ann, place) == "on file: 7"


def test_the_last_attempt_counts(site: Drafting) -> None:
    ann = site.browser()
    ann.post("/people/7", TYPED)
    place = ann.post("/people/7", TYPED | {"name": "Second"}).headers["Location"]
    assert name_at(ann, place) == "Second"


def test_it_fades_within_half_an_hour(site: Drafting) -> None:
    ann = site.browser()
    place = ann.post("/people/7", TYPED).headers["Location"]
    site.clock.move(timedelta(minutes=29))
    assert name_at(ann, place) == "Wren of Exampleton"
    site.clock.move(timedelta(minutes=1))
    assert name_at(ann, place) == "on file: 7"
    before = rows(site)
    ann.post("/people/8", TYPED)
    assert (before, rows(site)) == (1, 1)  # the faded one is deleted


def test_it_ends_with_the_session(site: Drafting) -> None:
    for end in (
        lambda ann: ann.post("/leave"),
        lambda ann: site.sessions.end_all(ANN),
        lambda ann: site.sessions.start(ANN, replacing=ann.cookie(SESSION)),
    ):
        ann = site.browser()
        token = ann.cookie(SESSION)
        place = ann.post("/people/7", TYPED).headers["Location"]
        assert rows(site) == 1
        end(ann)
        assert rows(site) == 0
        ann.plant(SESSION, token)
        assert name_at(ann, place) == "on file: 7"


def test_a_session_that_has_ended_keeps_nothing(site: Drafting) -> None:
    ann = site.browser()
    token = ann.cookie(SESSION)
    site.sessions.end(token)
    site.sessions.keep_draft(token, b"form", b"sealed")
    assert rows(site) == 0


def test_of_many_drafts_the_newest_stay(site: Drafting) -> None:
    ann = site.browser()
    places = [
        ann.post(f"/people/{number}", TYPED).headers["Location"]
        for number in range(MOST_DRAFTS + 1)
    ]
    assert rows(site) == MOST_DRAFTS
    assert name_at(ann, places[0]) == "on file: 0"
    assert name_at(ann, places[1]) == "Wren of Exampleton"


def test_an_altered_draft_is_not_shown(site: Drafting) -> None:
    ann = site.browser()
    place = ann.post("/people/7", TYPED).headers["Location"]
    with site.sessions._transaction() as store:
        store.execute("UPDATE drafts SET sealed = zeroblob(60)")
    answer = ann.get(place)
    assert answer.status_code >= 500
    assert "Wren" not in answer.text


def test_a_draft_does_not_open_at_another_form(site: Drafting) -> None:
    ann = site.browser()
    for person in ("7", "8"):
        ann.post(f"/people/{person}", TYPED | {"name": f"typed at {person}"})
    with site.sessions._transaction() as store:
        found = store.execute("SELECT sealed FROM drafts ORDER BY rowid").fetchall()
        store.execute("UPDATE drafts SET sealed = ?", found[0])
    assert name_at(ann, "/people/7?kept=yes") == "typed at 7"
    assert ann.get("/people/8?kept=yes").status_code >= 500


def rows(site: Drafting) -> int:
    with site.sessions._transaction() as store:
        return int(store.execute("SELECT count(*) FROM drafts").fetchone()[0])
