"""The recipient's pages: what each state shows, and what a GET never does."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.envelope.commands import AskCode, AskFresh, OpenEnvelope, SetChoice
from services.viewer.web.words import TITLES
from tests.unit.viewer.scenes import BASE, NOW, OPEN, TOKEN, a_viewer
from tests.web_checks import Site, check_site

OWN = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
WALL = "http://localhost:8401/"


def fields_of(page: TestResponse) -> dict[str, str]:
    pairs = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    return dict(pairs)


def post(client: FlaskClient, path: str, **data: str) -> TestResponse:
    page = client.get(f"/e/{TOKEN}", base_url=WALL)
    return client.post(
        path, data={**fields_of(page), **data}, headers=OWN, base_url=WALL
    )


def test_every_route_keeps_the_promises_of_a_site() -> None:
    app, _ = a_viewer()
    check_site(Site(app=app, base_url=BASE, values={"token": TOKEN}))


def test_a_get_asks_and_shows_nothing_of_the_letter() -> None:
    app, envelope = a_viewer()
    page = app.test_client().get(f"/e/{TOKEN}", base_url=WALL)
    assert page.status_code == 200
    assert "A private letter for T. J." in page.text
    assert "Complaint" not in page.text
    assert "Your postcode" in page.text
    assert "Wednesday 2 December 2026" in page.text
    assert [kind for _, kind in envelope.asked] == ["anonymous"]


def test_an_empty_answer_opens_nothing() -> None:
    app, envelope = a_viewer()
    page = post(app.test_client(), f"/e/{TOKEN}", answer="  ")
    assert page.status_code == 422
    assert "<title>Error:" in page.text
    assert not [a for a in envelope.asked if isinstance(a, OpenEnvelope)]


def test_a_wrong_answer_says_so_and_keeps_the_door() -> None:
    app, _ = a_viewer()
    page = post(app.test_client(), f"/e/{TOKEN}", answer="zz9 9zz")
    assert page.status_code == 422
    assert "4 tries left" in page.text
    assert "Your postcode" in page.text


def test_the_right_answer_leads_to_the_letter_without_the_token() -> None:
    app, _ = a_viewer()
    client = app.test_client()
    page = post(client, f"/e/{TOKEN}", answer="zz1 1aa")
    assert (page.status_code, page.headers["Location"]) == (303, "/letter")
    cookie = page.headers.getlist("Set-Cookie")[0]
    assert cookie.startswith("__Host-ll-ticket=")
    assert {"Secure", "HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    letter = client.get("/letter", base_url=WALL)
    assert "Dear Mr Tom Jones" in letter.text
    assert "Latest edition as page 165104" in letter.text
    assert TOKEN not in letter.text


@pytest.mark.parametrize("path", ["/letter", "/letter/copy", "/letter/history"])
def test_without_a_ticket_no_letter_and_no_history(path: str) -> None:
    app, _ = a_viewer()
    page = app.test_client().get(path, base_url=WALL)
    assert page.status_code == 403
    assert "Dear Mr" not in page.text


def test_a_disabled_letter_shuts_in_the_open_tab() -> None:
    app, envelope = a_viewer()
    client = app.test_client()
    post(client, f"/e/{TOKEN}", answer="zz1 1aa")
    envelope.letter_shut = True
    page = client.get("/letter", base_url=WALL)
    assert page.status_code == 410
    assert "switched this link off" in page.text
    assert "Dear Mr" not in page.text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("expired", "This link has expired"),
        ("disabled", "This link was switched off"),
        ("replaced", "This link was replaced"),
        ("cancelled", "This sending was undone"),
    ],
)
def test_a_dead_link_tells_the_truth(state: str, words: str) -> None:
    app, envelope = a_viewer()
    envelope.door = replace(
        OPEN, state=state, since=NOW, viewed_at=None, can_renew=state == "expired"
    )
    page = app.test_client().get(f"/e/{TOKEN}", base_url=WALL)
    assert page.status_code == 410
    assert words in page.text
    assert "had not been shown" in page.text
    assert ("Send me a fresh link" in page.text) is (state == "expired")
    assert "T. J." not in page.text


def test_unknown_and_erased_look_alike() -> None:
    app, envelope = a_viewer()
    client = app.test_client()
    unknown = client.get("/e/" + "z" * 32, base_url=WALL)
    envelope.door = replace(OPEN, state="erased", initials="", check="", reference="")
    erased = client.get(f"/e/{TOKEN}", base_url=WALL)
    assert (unknown.status_code, erased.status_code) == (404, 404)
    nonces = re.compile(r'nonce="[^"]*"|value="[^"]*"')
    assert nonces.sub("", unknown.text) == nonces.sub("", erased.text)


def test_a_code_is_asked_for_then_typed() -> None:
    app, envelope = a_viewer()
    envelope.door = replace(OPEN, check="code")
    client = app.test_client()
    first = client.get(f"/e/{TOKEN}", base_url=WALL)
    assert 'name="answer"' not in first.text
    sent = post(client, f"/e/{TOKEN}/code")
    assert sent.status_code == 303
    second = client.get(sent.headers["Location"], base_url=WALL)
    assert 'autocomplete="one-time-code"' in second.text
    assert any(isinstance(asked, AskCode) for asked in envelope.asked)


def test_a_fresh_link_is_sent_and_never_shown() -> None:
    app, envelope = a_viewer()
    page = post(app.test_client(), f"/e/{TOKEN}/fresh")
    assert "on its way" in page.text
    assert AskFresh(token=TOKEN) in envelope.asked
    assert TOKEN not in page.text


def test_history_shows_every_fact_with_grade_and_means() -> None:
    app, _ = a_viewer()
    client = app.test_client()
    post(client, f"/e/{TOKEN}", answer="zz1 1aa")
    page = client.get("/letter/history", base_url=WALL)
    assert "Grade 3, postcode given" in page.text
    assert "may be automatic" in page.text
    assert page.text.count("ll-timeline__item") >= 5
    assert "Checked against your choices" in page.text
    assert "folder" not in page.text


def test_every_fact_of_a_letter_has_words_that_are_true_today() -> None:
    told = " ".join(title for title, _state in TITLES.values())
    assert "made ready for you" in told
    assert "folder" not in told  # recipients have none yet


def test_choices_change_by_post_only() -> None:
    app, envelope = a_viewer()
    client = app.test_client()
    page = client.get(f"/c/{TOKEN}", base_url=WALL)
    assert "Allow again" in page.text
    assert not [a for a in envelope.asked if isinstance(a, SetChoice)]
    saved = client.post(
        f"/c/{TOKEN}",
        data={**fields_of(page), "stop": "all", "stopped": "yes"},
        headers=OWN,
        base_url=WALL,
    )
    assert saved.status_code == 303
    assert SetChoice(token=TOKEN, stop="all", stopped=True) in envelope.asked


def test_guessing_at_one_door_slows_down() -> None:
    app, envelope = a_viewer()
    client = app.test_client()
    statuses = [
        post(client, f"/e/{TOKEN}", answer=f"zz{n} 1aa").status_code for n in range(12)
    ]
    assert 429 in statuses
    assert len([a for a in envelope.asked if isinstance(a, OpenEnvelope)]) < 12


def test_every_page_stays_below_thirty_kilobytes_with_its_stylesheet() -> None:
    app, envelope = a_viewer()
    client = app.test_client()
    post(client, f"/e/{TOKEN}", answer="zz1 1aa")
    envelope.door = replace(OPEN, expires_at=NOW + timedelta(days=6))
    for path in (
        f"/e/{TOKEN}",
        "/letter",
        "/letter/history",
        f"/c/{TOKEN}",
        "/",
        "/help",
    ):
        page = client.get(path, base_url=WALL)
        weight = len(page.data)
        for asset in set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)):
            with client.get(asset, base_url=WALL) as answer:
                weight += len(answer.data)
        assert weight < 30_000, path


def test_thirty_people_behind_one_address_all_get_in() -> None:
    app, _ = a_viewer()
    for _ in range(30):
        answer = post(app.test_client(), f"/e/{TOKEN}", answer="zz1 1aa")
        assert answer.status_code == 303


def test_thirty_people_behind_one_address_all_get_a_code() -> None:
    app, _ = a_viewer()
    for _ in range(30):
        assert post(app.test_client(), f"/e/{TOKEN}/code").status_code == 303
