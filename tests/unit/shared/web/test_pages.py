"""Every page of every site is guarded; what it shows is strict and whole."""

from __future__ import annotations

import hashlib
import hmac
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Blueprint
from jinja2 import UndefinedError

from shared.clock import ManualClock
from shared.web.app import build_app
from shared.web.frame import Frame
from shared.web.limits import TooManyTries
from shared.web.security import CsrfTokens, without_csrf
from shared.web.settings import Site as SiteName
from shared.web.settings import WebSettings, WebSettingsError
from tests.unit.shared.web.gallery import BASE, NOON, gallery
from tests.web_checks import Browser, Site, check_site

CONTACT = {
    "given": "Tom",
    "family": "Jones",
    "means": "email",
    "language": "en",
    "born": "",
    "word": "",
    "remark": "",
}


def site_of(name: SiteName, folder: Path, clock: ManualClock | None = None) -> Site:
    return Site(app=gallery(name, folder, clock=clock), base_url=BASE[name])


@pytest.fixture
def portal(tmp_path: Path) -> Browser:
    return site_of("portal", tmp_path).browser()


@pytest.mark.parametrize("name", ["portal", "viewer"])
def test_every_route_is_hardened(name: SiteName, tmp_path: Path) -> None:
    check_site(site_of(name, tmp_path))


def test_over_tls_browsers_are_told_to_stay_there(tmp_path: Path) -> None:
    app = gallery("portal", tmp_path, tls=True)
    check_site(Site(app=app, base_url="https://portal.test", tls=True))


def test_a_form_token_dies_after_its_life(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    browser = site_of("portal", tmp_path, clock).browser()
    form = {"_csrf": browser.token()}
    ours = {"Origin": BASE["portal"]}
    clock.move(timedelta(hours=12))
    assert browser.open("POST", "/door", form=form, headers=ours).status_code == 200
    clock.move(timedelta(seconds=1))
    assert browser.open("POST", "/door", form=form, headers=ours).status_code == 403


def test_a_form_of_ours_passes_when_the_browser_hides_its_origin(
    portal: Browser,
) -> None:
    answer = portal.open(
        "POST",
        "/door",
        form={"_csrf": portal.token()},
        headers={"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 200


def test_a_token_sent_twice_is_malformed(portal: Browser) -> None:
    answer = portal.client.post(
        "/door",
        base_url=BASE["portal"],
        headers={"Origin": BASE["portal"]},
        data={"_csrf": [portal.token(), portal.token()]},
    )
    assert answer.status_code == 422


def test_a_view_without_csrf_must_stand_in_the_registry() -> None:
    pages = Blueprint("pages", __name__)
    pages.post("/unsubscribe")(without_csrf(_done))
    for registry in (frozenset[str](), frozenset({"pages._done", "pages.other"})):
        settings = WebSettings(
            site="viewer", base_url=BASE["viewer"], without_csrf=registry
        )
        with pytest.raises(ValueError, match="without_csrf"):
            build_app(
                "x", settings=settings, clock=ManualClock(NOON), blueprints=[pages]
            )


def test_a_registered_view_takes_posts_of_machines() -> None:
    pages = Blueprint("pages", __name__)
    pages.post("/unsubscribe")(without_csrf(_done))
    settings = WebSettings(
        site="viewer",
        base_url=BASE["viewer"],
        without_csrf=frozenset({"pages._done"}),
    )
    app = build_app("x", settings=settings, clock=ManualClock(NOON), blueprints=[pages])
    answer = app.test_client().post("/unsubscribe", base_url=BASE["viewer"])
    assert answer.status_code == 200


def _done() -> str:
    return "done"


def test_errors_look_alike_and_tell_nothing(
    portal: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    expected = {"/refused": 403, "/fault": 503, "/bug": 500, "/nope": 404}
    for path, status in expected.items():
        answer = portal.get(path)
        assert answer.status_code == status
        assert "<title>Error: " in answer.text
        for leak in ("Traceback", "secret", "Tom", "Werkzeug", "Python", ".py"):
            assert leak not in answer.text
    assert "secret" not in caplog.text
    assert "Tom" not in caplog.text
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_without_its_session_store_a_site_answers_503(tmp_path: Path) -> None:
    (tmp_path / "sessions.db").write_bytes(b"this is no database" * 100)
    browser = Browser(
        site_of("portal", tmp_path), gallery("portal", tmp_path).test_client()
    )
    browser.plant("__Host-ll-session", "x" * 43)
    answer = browser.get("/who")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"


def test_a_page_whose_frame_fails_still_gets_an_answer() -> None:
    def frame() -> Frame:
        raise LookupError

    settings = WebSettings(site="portal", base_url=BASE["portal"])
    app = build_app(
        "x", settings=settings, clock=ManualClock(NOON), blueprints=[], frame=frame
    )
    answer = app.test_client().get("/nope", base_url=BASE["portal"])
    assert answer.status_code == 500
    assert "<title>Error: Something went wrong" in answer.text


def test_too_many_tries_say_when_to_come_back() -> None:
    pages = Blueprint("pages", __name__)

    @pages.get("/slow")
    def slow() -> str:
        raise TooManyTries(retry_after=timedelta(seconds=1.5))

    settings = WebSettings(site="viewer", base_url=BASE["viewer"])
    app = build_app("x", settings=settings, clock=ManualClock(NOON), blueprints=[pages])
    answer = app.test_client().get("/slow", base_url=BASE["viewer"])
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert "Nothing is locked" in answer.text


def test_an_error_is_json_for_who_prefers_it(portal: Browser) -> None:
    answer = portal.open("GET", "/refused", headers={"Accept": "application/json"})
    assert answer.json == {
        "code": "not_allowed",
        "message": "Your role does not allow this.",
        "hint": "Ask an administrator if you need this for your work.",
    }


def test_a_request_too_large_is_refused(portal: Browser) -> None:
    assert portal.post("/door", {"answer": "x" * 2_000_000}).status_code == 413


def test_a_form_with_gaps_comes_back_with_what_was_typed(portal: Browser) -> None:
    answer = portal.post("/contact/new", CONTACT | {"family": "", "given": "<Tom>"})
    assert "<title>Error: New contact" in answer.text
    assert 'href="#family"' in answer.text
    assert 'value="&lt;Tom&gt;"' in answer.text


@pytest.mark.parametrize(
    "typed", [["31", "2", "2000"], ["", "3", "1980"], ["1"], ["1"] * 9, ["9" * 999] * 3]
)
def test_a_date_that_is_none_comes_back_with_a_sentence(
    portal: Browser, typed: list[str]
) -> None:
    answer = portal.post("/contact/new", CONTACT | {"born": typed})
    assert answer.status_code == 200
    assert "Enter a real date" in answer.text


def test_a_real_date_is_taken(portal: Browser) -> None:
    answer = portal.post("/contact/new", CONTACT | {"born": ["27", "3", "1980"]})
    assert answer.status_code == 303


def test_a_form_in_order_leads_on_and_says_so_once(portal: Browser) -> None:
    answer = portal.post("/contact/new", CONTACT)
    assert answer.status_code == 303
    assert "The contact is saved." in portal.get("/").text
    assert "The contact is saved." not in portal.get("/").text


def test_a_notice_of_nobody_is_not_shown(portal: Browser) -> None:
    portal.plant("__Host-ll-notice", "<script>alert(1)</script>")
    assert "alert(1)" not in portal.get("/").text


@pytest.mark.parametrize("extra", [{"role": "admin"}, {"given": ["Tom", "Eve"]}])
def test_unknown_and_repeated_fields_are_refused(
    portal: Browser, extra: dict[str, str | list[str]]
) -> None:
    assert portal.post("/contact/new", CONTACT | extra).status_code == 422


def test_a_long_passphrase_arrives_whole(portal: Browser) -> None:
    answer = portal.post("/contact/new", CONTACT | {"word": "é" * 200})
    assert answer.status_code == 303


def test_signing_out_ends_it_on_the_server_and_clears_the_browser(
    portal: Browser,
) -> None:
    portal.post("/sign-in")
    token = portal.cookie("__Host-ll-session")
    assert portal.get("/who").json == {"actor": "a" * 32, "browser": "b" * 43}
    answer = portal.post("/sign-out")
    assert answer.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    portal.plant("__Host-ll-session", token)
    assert portal.get("/who").json == {"actor": "", "browser": "b" * 43}


def test_a_token_from_before_sign_in_is_worthless_after(portal: Browser) -> None:
    before = portal.token()
    portal.post("/sign-in")
    answer = portal.open(
        "POST", "/door", form={"_csrf": before}, headers={"Origin": BASE["portal"]}
    )
    assert answer.status_code == 403


def test_a_browser_without_an_id_gets_one_of_256_bits(tmp_path: Path) -> None:
    site = site_of("viewer", tmp_path)
    answer = site.app.test_client().get("/door", base_url=site.base_url)
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert len(cookie.partition("=")[2].partition(";")[0]) == 43


@pytest.mark.parametrize(("name", "lasting"), [("portal", True), ("viewer", False)])
def test_only_staff_browsers_are_known_for_longer(
    name: SiteName, *, lasting: bool, tmp_path: Path
) -> None:
    app = gallery(name, tmp_path)
    answer = app.test_client().get("/door", base_url=BASE[name])
    assert ("Max-Age" in answer.headers["Set-Cookie"]) is lasting


def test_a_name_never_given_fails_in_our_pages_only(tmp_path: Path) -> None:
    app = gallery("portal", tmp_path)
    macro = "{% from 'govuk_frontend_jinja/components/button/macro.html' "
    ours = app.jinja_env.from_string("{{ absent }}")
    theirs = app.jinja_env.from_string(
        macro + "import govukButton %}{{ govukButton({'text': '<b>'}) }}"
    )
    with pytest.raises(UndefinedError):
        ours.render()
    assert "&lt;b&gt;" in theirs.render()


def test_static_files_with_a_version_may_be_kept(portal: Browser) -> None:
    answer = portal.get("/static/absent.css?v=1")
    assert answer.status_code == 404
    assert "immutable" not in answer.headers["Cache-Control"]


def test_whole_pages_for_recipients_stay_small(tmp_path: Path) -> None:
    browser = site_of("viewer", tmp_path).browser()
    source = Path("shared/web/frontend")
    fixed = sum((source / name).stat().st_size for name in ("viewer.css", "viewer.js"))
    assert (source / "viewer.css").stat().st_size < 8_000
    for path in ("/door", "/letter", "/refused"):
        assert len(browser.get(path).data) + fixed < 30_000
        assert "style=" not in browser.get(path).text


@pytest.mark.parametrize(
    "base_url", ["ftp://x", "http://", "http://x/path", "http://a@b", "http://x?q=1"]
)
def test_a_base_address_must_be_bare(base_url: str) -> None:
    with pytest.raises(WebSettingsError):
        WebSettings(site="portal", base_url=base_url)


def test_tls_needs_an_https_address() -> None:
    with pytest.raises(WebSettingsError):
        WebSettings(site="portal", base_url="http://x", tls=True)


@pytest.mark.parametrize("at", ["", "x", "\u00b2", "9" * 5000, "-1", "1_0"])
def test_a_token_signed_by_the_visitor_with_no_time_in_it_is_refused(at: str) -> None:
    tokens = CsrfTokens(ManualClock(NOON), timedelta(hours=12))
    whole = tokens.make("b" * 43)
    assert tokens.holds(whole, "b" * 43)
    key = hashlib.sha256(b"csrf" + b"b" * 43 + b"\x00").digest()
    mac = hmac.new(key, at.encode(), hashlib.sha256).hexdigest()
    seconds, _, ours = whole.partition(".")
    assert hmac.new(key, seconds.encode(), hashlib.sha256).hexdigest() == ours
    assert not tokens.holds(f"{at}.{mac}", "b" * 43)
