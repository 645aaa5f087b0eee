"""Who may see which page; signing in and out; what a form must prove."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from werkzeug.routing import Rule

from services.audit.commands import GetTrail
from services.envelope.commands import SendLetter
from services.portal.commands import MakeSignInLink, SetPassword, SetRole
from services.portal.web.audience import AUDIENCE, PUBLIC, roles_for
from services.portal.web.places import address
from shared.context import service_context
from shared.web.cookies import SESSION
from tests.builders import a_context
from tests.unit.portal.web_house import Browser, House, open_house, place, words

PEOPLE = {"anna": "sender", "ben": "author", "carol": "executive", "dev": "compliance",
          "ada": "admin"}  # fmt: skip
PASSWORD = "a quiet harbour at dusk"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture(scope="module")
def envelope(house: House) -> str:
    """Send a message to Tom, for pages about one."""
    context = a_context(actor_id=house.ids.staff["anna"], role="sender")
    request = SendLetter(
        contact_id=house.ids.contacts["tom"],
        page="165120",
        sender_name="Ms Anna Ferris",
    )
    return house.apis.envelope.send(request, context).envelope_id


def path_of(rule: Rule, house: House, envelope: str) -> str:
    known = {
        "contact": house.ids.contacts["tom"],
        "envelope": envelope,
        "page": "165104",
        "record": "165100-204817",
        "staff": house.ids.staff["ben"],
        "secret": "x" * 40,
        "filename": "pages.css",
    }
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: known[match[1]], rule.rule)


def newest(house: House) -> int:
    """Return the position of the newest fact in the store."""
    return max(record.position for record in house.core.store.read_all(0, 100_000))


def asked(browser: Browser, method: str, path: str) -> int:
    answer = browser.get(path) if method == "GET" else browser.post(path)
    return answer.status_code


def test_every_route_has_an_audience_and_every_audience_a_route(house: House) -> None:
    assert {rule.endpoint for rule in house.app.url_map.iter_rules()} == set(AUDIENCE)


@pytest.mark.parametrize("person", PEOPLE)
def test_each_role_reaches_its_own_pages_and_no_others(
    house: House, envelope: str, person: str
) -> None:
    browser, wrong = house.browser(person), []
    for rule in house.app.url_map.iter_rules():
        deed = AUDIENCE[rule.endpoint]
        if deed == PUBLIC:
            continue
        for method in sorted({"GET", "POST"} & (rule.methods or set())):
            status = asked(browser, method, path_of(rule, house, envelope))
            allowed = PEOPLE[person] in roles_for(deed)
            fits = (
                status in {200, 303, 404, 409, 410, 422} if allowed else status == 403
            )
            if not fits:
                wrong.append((rule.endpoint, method, status, allowed))
    assert not wrong


def test_nobody_reaches_a_page_without_signing_in(house: House, envelope: str) -> None:
    browser, wrong = house.browser(), []
    for rule in house.app.url_map.iter_rules():
        if AUDIENCE[rule.endpoint] == PUBLIC:
            continue
        path = path_of(rule, house, envelope)
        for method in sorted({"GET", "POST"} & (rule.methods or set())):
            answer = browser.get(path) if method == "GET" else browser.post(path)
            told = answer.headers.get("Location", "")
            if answer.status_code != 303 or not told.startswith("/sign-in"):
                wrong.append((rule.endpoint, method, answer.status_code))
    assert not wrong


@pytest.mark.parametrize("person", PEOPLE)
def test_no_page_runs_inline_script_or_style(
    house: House, envelope: str, person: str
) -> None:
    browser = house.browser(person)
    for rule in house.app.url_map.iter_rules():
        if "GET" not in (rule.methods or set()) or rule.endpoint.endswith("static"):
            continue
        page = browser.get(path_of(rule, house, envelope))
        if page.mimetype != "text/html":
            continue
        assert not re.search(
            r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page.text
        )
        assert "'unsafe" not in page.headers["Content-Security-Policy"]
        assert page.text.count("<h1") == 1, rule.endpoint


def test_a_refused_page_is_on_the_trail(house: House) -> None:
    browser = house.browser("anna")
    assert browser.get(f"/staff/{house.ids.staff['ben']}").status_code == 403
    context = a_context(actor_id=house.ids.staff["dev"], role="compliance")
    lines = house.apis.audit.trail(GetTrail(type_name="Refused"), context).lines
    assert any(
        line.actor == house.ids.staff["anna"] and "set_role" in (line.detail or "")
        for line in lines
    )


@pytest.mark.parametrize(
    "path",
    [
        "/contacts/nobody",
        "/contacts/" + "0" * 32,
        "/messages/" + "f" * 32,
        "/messages/x",
        "/letters/12",
        "/letters/999999",
        "/requests/1",
        "/requests/999999-999999",
        "/no",
    ],
)
def test_what_does_not_exist_looks_alike(house: House, path: str) -> None:
    answer = house.browser("anna").get(path)
    assert answer.status_code == 404
    assert "<h1" in answer.text


@pytest.mark.parametrize("field", [{}, {"_csrf": "1.aa"}, {"_csrf": ""}])
def test_a_form_without_its_token_changes_nothing(
    house: House, field: dict[str, object]
) -> None:
    browser = house.browser("anna")
    before = newest(house)
    answer = browser.post("/contacts/new", {"family": "Planted", **field}, token=False)
    assert answer.status_code == 403
    assert "load the page again" in words(answer)
    assert newest(house) == before


def test_a_command_id_that_is_not_ours_is_refused(house: House) -> None:
    browser = house.browser("anna")
    fields = {"kind": "customer", "family": "Orr", "email": "orr@people.example"}
    for bad in ("", "x", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "{}"):
        answer = browser.post("/contacts/new", {**fields, "command_id": bad})
        assert answer.status_code == 422


def test_an_unknown_field_is_refused(house: House) -> None:
    assert (
        house.browser("anna").act("/contacts/new", {"is_admin": "1"}).status_code == 422
    )


@pytest.fixture(scope="module")
def _password(house: House) -> None:
    me = house.ids.staff["anna"]
    context = a_context(actor_id=me, role="sender")
    house.apis.staff.set_password(SetPassword(staff_id=me, password=PASSWORD), context)


@pytest.mark.usefixtures("_password")
class TestSigningIn:
    def test_address_and_password_open_the_home_page(self, house: House) -> None:
        browser = house.browser()
        answer = browser.post(
            "/sign-in", {"email": "anna@harbourvale.example", "password": PASSWORD}
        )
        assert (answer.status_code, place(answer)) == (303, "/")
        assert "Find a contact" in browser.get("/").text

    def test_unknown_and_wrong_get_the_same_answer(self, house: House) -> None:
        told = set()
        for email in ("anna@harbourvale.example", "nobody@harbourvale.example"):
            answer = house.browser().post(
                "/sign-in", {"email": email, "password": "wrong wrong wrong"}
            )
            told.add((answer.status_code, words(answer)))
        assert len(told) == 1
        assert next(iter(told))[0] == 403

    def test_the_fields_can_be_filled_by_a_password_manager(self, house: House) -> None:
        page = house.browser().get("/sign-in").text
        assert 'autocomplete="username"' in page
        assert 'autocomplete="current-password"' in page
        assert "onpaste" not in page

    def test_guessing_is_slowed_down_and_said_so(self, house: House) -> None:
        browser = house.browser()
        fields: dict[str, object] = {"email": "guess@x.example", "password": "no no no"}
        statuses = [browser.post("/sign-in", fields).status_code for _ in range(8)]
        assert statuses[0] == 403
        assert statuses[-1] == 429
        last = browser.post("/sign-in", fields)
        assert int(last.headers["Retry-After"]) >= 1

    def test_a_way_back_leads_to_own_pages_only(self, house: House) -> None:
        tom = house.ids.contacts["tom"]
        browser = house.browser()
        first = browser.get(f"/contacts/{tom}")
        assert place(first) == f"/sign-in?back=contacts.show&id={tom}"
        answer = browser.post(
            "/sign-in",
            {"email": "anna@harbourvale.example", "password": PASSWORD,
             "back": "contacts.show", "id": tom},
        )  # fmt: skip
        assert place(answer) == f"/contacts/{tom}"

    @pytest.mark.parametrize(
        "back",
        ["https://evil.example", "//evil.example", "signin.leave", "/\\evil", "letters",
         "contacts.show\r\nX: 1", "messages.undo", "extras.static"],
    )  # fmt: skip
    def test_no_typed_text_becomes_an_address(self, house: House, back: str) -> None:
        with house.app.test_request_context("/", base_url="http://127.0.0.1:8400"):
            for known in ("", "//evil.example", "0" * 32, "../../x"):
                assert address(back, known) == "/"
                assert address("contacts.show", "//evil.example") == "/"

    def test_a_new_session_takes_the_place_of_the_old(self, house: House) -> None:
        browser = house.browser()
        first = house.sessions.start(house.ids.staff["ben"])
        browser.client.set_cookie(SESSION, first, domain="127.0.0.1")
        fields: dict[str, object] = {
            "email": "anna@harbourvale.example", "password": PASSWORD,
        }  # fmt: skip
        assert browser.post("/sign-in", fields).status_code == 303
        assert house.sessions.find(first) is None

    def test_a_link_is_used_up_by_its_button_not_by_a_fetch(self, house: House) -> None:
        secret = house.apis.staff.make_sign_in_link(
            MakeSignInLink(staff_id=house.ids.staff["ben"]), service_context("operator")
        ).ref
        browser = house.browser()
        for _ in range(3):
            assert browser.get(f"/sign-in/link/{secret}").status_code == 200
        assert place(browser.post(f"/sign-in/link/{secret}")) == "/"
        assert house.browser().post(f"/sign-in/link/{secret}").status_code == 410

    def test_a_secret_is_never_logged(
        self, house: House, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        secret = "very-secret-indeed-very-secret-indeed"
        house.browser().post(f"/sign-in/link/{secret}")
        assert secret not in caplog.text

    def test_signing_out_ends_the_session_and_clears_the_browser(
        self, house: House
    ) -> None:
        browser = house.browser("anna")
        answer = browser.post("/sign-out")
        assert place(answer) == "/sign-in"
        assert "cookies" in answer.headers["Clear-Site-Data"]
        assert browser.get("/").status_code == 303

    def test_after_half_an_hour_of_silence_one_signs_in_again(
        self, house: House
    ) -> None:
        browser = house.browser("anna")
        assert browser.get("/letters").status_code == 200
        house.clock.move(timedelta(minutes=31))
        assert place(browser.get("/letters")) == "/sign-in?back=letters.index"

    def test_a_form_sent_after_signing_out_says_so(self, house: House) -> None:
        browser = house.browser("anna")
        token = browser.token()
        house.clock.move(timedelta(minutes=31))
        answer = browser.post("/contacts/new", {"_csrf": token}, token=False)
        assert answer.status_code == 403
        assert "You are signed out" in words(answer)


def test_a_role_taken_away_is_gone_at_the_next_page(house: House) -> None:
    browser, ben = house.browser("ben"), house.ids.staff["ben"]
    admin = a_context(actor_id=house.ids.staff["ada"], role="admin")
    assert browser.get("/letters/new").status_code == 200
    request = SetRole(staff_id=ben, role="author", granted=False)
    house.apis.staff.set_role(request, admin)
    answer = browser.get("/letters/new")
    assert answer.status_code == 403
    assert "no role here" in words(answer)
    assert browser.post("/sign-out").status_code == 303
    admin = a_context(actor_id=house.ids.staff["ada"], role="admin")
    request = SetRole(staff_id=ben, role="author", granted=True)
    house.apis.staff.set_role(request, admin)
