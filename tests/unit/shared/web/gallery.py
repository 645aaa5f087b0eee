"""A site of made-up pages that shows every component, for eyes and for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Blueprint, Flask, redirect, render_template
from markupsafe import Markup
from werkzeug import Response

from shared.clock import Clock, ManualClock
from shared.errors import Fault, NotAllowed
from shared.web.app import build_app
from shared.web.forms import (
    PageForm,
    area,
    boxes,
    day,
    password,
    radios,
    select,
    text,
    tick,
)
from shared.web.frame import Frame, NavItem, Notice, leave_notice
from shared.web.security import browser_id
from shared.web.sessions import Sessions, current_session, sign_in, sign_out
from shared.web.settings import Site, WebSettings
from shared.web.trail import Entry

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BASE = {"portal": "http://127.0.0.1:8400", "viewer": "http://localhost:8401"}
NAV = ("Home", "Contacts", "Letters", "Requests", "Evidence", "Staff")
NOTICES = {"saved": Notice(text="The contact is saved.")}


class ContactForm(PageForm):
    given = text("Given name", required="Enter the given name")
    family = text("Family name", required="Enter the family name", hint="As signed")
    means = radios(
        "How to be contacted",
        [("email", "E-mail"), ("post", "Post"), ("phone", "Phone")],
        required="Choose how to be contacted",
    )
    topics = boxes("May hear about", [("a", "Service"), ("b", "News")])
    language = select("Language", [("en", "English"), ("cy", "Welsh")])
    born = day("Date of birth", hint="For example, 27 3 1980")
    agreed = tick("The person asked for this")
    word = password("Pass phrase")
    remark = area("Remark")


class MessageForm(PageForm):
    page = text("Page number", hint="Six digits", required="Enter a page number")
    record = text("Record key", hint="Optional")


def timeline() -> list[Entry]:
    early = NOON - timedelta(days=2, hours=3)
    robots = tuple(
        Entry(at=early + timedelta(seconds=n), title="Link fetched", how="HEAD")
        for n in (4, 5, 9)
    )
    return [
        Entry(
            at=NOON - timedelta(minutes=25),
            title="Letter shown",
            who="Recipient",
            how="grade 3, postcode",
            state="viewed",
        ),
        Entry(
            at=early + timedelta(seconds=3),
            title="Mail relay accepted the envelope",
            how="250 2.0.0 queued, TLS 1.3",
            state="sent",
            automatic=robots,
        ),
        Entry(at=early, title="Letter sealed", who="Ann Lee, sender", state="accepted"),
    ]


def diff() -> list[dict[str, object]]:
    return [
        {
            "kind": "same",
            "left": [("", "Dear Mr Tom Jones")],
            "right": [("", "Dear Mr Tom Jones")],
        },
        {
            "kind": "changed",
            "left": [("", "We will answer within "), ("del", "ten"), ("", " days.")],
            "right": [("", "We will answer within "), ("ins", "five"), ("", " days.")],
        },
        {"kind": "added", "left": [], "right": [("ins", "No reply is needed.")]},
    ]


def show_pages(pages: Blueprint) -> None:

    @pages.get("/")
    def home() -> str:
        return render_template("gallery/home.html", now=NOON, entries=timeline())

    @pages.get("/message/new")
    def message() -> str:
        return render_template("gallery/message.html", form=MessageForm.read())

    @pages.route("/contact/new", methods=["GET", "POST"])
    def contact() -> str | Response:
        form = ContactForm.read(language="en")
        if form.accepted():
            return leave_notice(redirect("/", 303), "saved")
        return render_template("gallery/contact.html", form=form)

    @pages.get("/parts")
    def parts() -> str:
        rows = [
            ["165104", "Welcome", Markup("<em>Ann Lee</em>"), "1,204"],
            ["165105", "Change of address <b>", "Bo Ek", "87"],
        ]
        return render_template(
            "gallery/parts.html", now=NOON, entries=timeline(), lines=diff(), rows=rows
        )

    @pages.get("/done")
    def done() -> str:
        return render_template("gallery/done.html")


def act_pages(pages: Blueprint, sessions: Sessions) -> None:
    @pages.get("/door")
    def door() -> str:
        return render_template("gallery/door.html", wrong=False)

    @pages.post("/door")
    def enter() -> str:
        return render_template("gallery/door.html", wrong=True)

    @pages.get("/letter")
    def letter() -> str:
        return render_template("gallery/letter.html", now=NOON, entries=timeline())

    @pages.get("/who")
    def who() -> dict[str, str]:
        session = current_session()
        return {"actor": session.actor_id if session else "", "browser": browser_id()}

    @pages.post("/sign-in")
    def enter_session() -> Response:
        return sign_in(redirect("/", 303), sessions, "a" * 32)

    @pages.post("/sign-out")
    def leave_session() -> Response:
        return sign_out(redirect("/", 303), sessions)


def fail_pages(pages: Blueprint) -> None:
    @pages.get("/refused")
    def refused() -> str:
        raise NotAllowed

    @pages.get("/fault")
    def fault() -> str:
        raise Fault("store.db is locked by secret-path")

    @pages.get("/bug")
    def bug() -> str:
        raise ZeroDivisionError("secret of Tom Jones\nsecond line")


def gallery_pages(sessions: Sessions) -> Blueprint:
    pages = Blueprint("gallery", __name__, template_folder="templates")
    show_pages(pages)
    act_pages(pages, sessions)
    fail_pages(pages)
    return pages


def gallery(
    site: Site,
    folder: Path,
    *,
    clock: Clock | None = None,
    tls: bool = False,
    base_url: str = "",
    signed_in: bool = True,
) -> Flask:
    clock = clock or ManualClock(NOON)
    sessions = Sessions(folder / "sessions.db", clock)
    nav = tuple(
        NavItem(text=word, href="/", current=word == "Contacts")
        for word in (NAV if site == "portal" else ("My letters", "My choices"))
    )
    frame = Frame(
        nav=nav if signed_in else (),
        person="Ann Lee" if signed_in else "",
        sign_out="/sign-out" if signed_in else "",
        help="/help",
        accessibility="/accessibility",
    )
    return build_app(
        "gallery",
        settings=WebSettings(
            site=site,
            base_url=base_url or ("https://portal.test" if tls else BASE[site]),
            organisation="Harbour & Vale Ltd",
            tls=tls,
        ),
        clock=clock,
        blueprints=[gallery_pages(sessions)],
        sessions=sessions,
        frame=lambda: frame,
        notices=NOTICES,
    )
