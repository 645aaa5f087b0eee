"""Pages as staff use them: numbers, double presses, approval, lists."""

from __future__ import annotations

import pytest

from services.demo_data import PAGES, DemoPage
from services.letters.commands import (
    ApprovePage,
    DraftPage,
    FormField,
    GetPage,
    PreviewMarkup,
    ReturnPage,
    SearchPages,
    SubmitPage,
)
from services.letters.errors import (
    AuthorCannotApprove,
    LetterInvalid,
    NotSubmitted,
    PageUnknown,
)
from services.letters.events import LetterDrafted
from services.letters.handlers.pages import TRIES, fact_at
from shared.errors import Malformed
from shared.eventstore.port import CorruptRecord
from shared.ids import derived_number
from shared.readmodel import digest_of
from shared.rebuild import rebuild
from tests.unit.letters.conftest import (
    ANSWER,
    BEN,
    CAROL,
    FORM,
    PLAIN,
    House,
    by,
)


def found(house: House, query: str = "", **how: str) -> list[str]:
    house.follow()
    rows = house.api.pages(SearchPages(query=query, **how), by(BEN)).rows  # type: ignore[arg-type]  # texts only
    return [row.page for row in rows]


def test_a_new_page_gets_the_number_it_wishes_for_if_it_is_free(house: House) -> None:
    assert house.draft("165104") == "165104"
    other = house.draft("165104", title="Another page")
    assert other != "165104"
    assert len(other) == 6
    assert house.draft("165104", page=other, title="Its next text") == other
    assert [r.version for r in house.facts() if r.stream.endswith(other)] == [0, 1]


def test_a_number_is_six_digits(house: House) -> None:
    for number in ("1651", "065104", "1651040", "16510a", "\u0661" * 6):
        with pytest.raises(LetterInvalid):
            house.draft(number)


def test_a_double_press_makes_one_page(house: House) -> None:
    house.draft("165104")
    for wish in (None, "165104", "165108"):
        request, context = DraftPage(number=wish, title="New one", body=""), by(BEN)
        first, second = (house.api.draft(request, context) for _ in range(2))
        assert first == second
    assert house.kinds() == ["LetterDrafted"] * 4


def test_a_page_nobody_wrote_is_unknown(house: House) -> None:
    for number in ("165199", "x", "165104/../keys-1"):
        with pytest.raises(PageUnknown):
            house.draft("165104", page=number)
        with pytest.raises(PageUnknown):
            house.api.page(GetPage(page=number), by(BEN))


def test_the_author_of_a_revision_is_who_wrote_it(house: House) -> None:
    house.draft("165104", body="{{salutation}}")
    house.api.draft(
        DraftPage(page="165104", title="By Carol", body="{{salutation}}"), by(CAROL)
    )
    house.api.submit(SubmitPage(page="165104", revision=2), by(BEN))
    with pytest.raises(AuthorCannotApprove):
        house.api.approve(ApprovePage(page="165104", revision=2), by(CAROL))
    assert house.api.approve(ApprovePage(page="165104", revision=2), by(BEN))


def test_an_unfinished_letter_is_refused_with_every_fault_named(house: House) -> None:
    house.draft(
        "165104",
        body="{{formal}} {{request.story}} [x](https://a.example/{{today}})",
        answers="165199",
    )
    with pytest.raises(LetterInvalid) as refused:
        house.api.submit(SubmitPage(page="165104", revision=1), by(BEN))
    told = str(refused.value)
    for fault in (
        "{{formal}}",
        "{{request.story}}",
        "link",
        "165199",
        "{{salutation}}",
    ):
        assert fault in told


def test_a_letter_may_show_the_fields_of_the_form_it_answers(furnished: House) -> None:
    known = "{{salutation}} {{request.amount}} {{request.number}}"
    furnished.draft("165130", body=known, answers=FORM)
    furnished.approve("165130")
    furnished.draft("165131", body=known + "{{request.colour}}", answers=FORM)
    with pytest.raises(LetterInvalid):
        furnished.approve("165131")
    furnished.draft("165132", body=known)
    with pytest.raises(LetterInvalid):
        furnished.approve("165132")
    furnished.draft("165133", body="{{salutation}}", answers=PLAIN)
    with pytest.raises(LetterInvalid):  # not a form
        furnished.approve("165133")


def test_a_form_needs_a_field_and_no_salutation(house: House) -> None:
    house.draft("165104", page_type="form", body="Hello")
    with pytest.raises(LetterInvalid):
        house.approve("165104")
    field = FormField(name="a", label="A", type="text")
    house.draft(
        "165104", page="165104", page_type="form", body="{{request.a}}", form=(field,)
    )
    house.approve("165104", revision=2)


def test_pages_are_found_by_number_and_by_any_words(furnished: House) -> None:
    assert found(furnished) == [PLAIN, ANSWER, FORM]
    assert found(furnished, "1651") == [PLAIN, ANSWER, FORM]
    assert found(furnished, "165104") == [ANSWER]
    assert found(furnished, "ACKN compl") == [ANSWER]
    assert found(furnished, "complaint") == [ANSWER, FORM]
    assert found(furnished, "complaint 165100") == [FORM]
    for nothing in ("omplaint", "100%", "_elcome", "welcome complaint", "' or 1=1"):
        assert found(furnished, nothing) == []
    assert found(furnished, page_type="form") == [FORM]


def test_pages_are_found_by_status(furnished: House) -> None:
    furnished.draft("165140", title="Only a draft", body="{{salutation}}")
    furnished.draft("", page=PLAIN, title="Welcome back", body="{{salutation}}")
    assert found(furnished, status="draft") == [PLAIN, "165140"]
    assert PLAIN in found(furnished, status="approved")
    assert found(furnished, "back") == [PLAIN]
    furnished.api.submit(SubmitPage(page="165140", revision=1), by(BEN))
    assert found(furnished, status="submitted") == ["165140"]
    furnished.withdraw(PLAIN)
    assert found(furnished, status="withdrawn") == [PLAIN]
    assert PLAIN not in found(furnished, status="approved")


def test_a_long_list_says_that_there_is_more(furnished: House) -> None:
    furnished.follow()
    page = furnished.api.pages(SearchPages(limit=2), by(BEN))
    assert (len(page.rows), page.more, page.fresh) == (2, True, True)


def test_a_list_waits_for_what_was_just_written_and_says_if_it_is_not_there(
    house: House,
) -> None:
    house.draft("165104")
    late = house.api.pages(SearchPages(after=1), by(BEN))
    assert (late.rows, late.fresh) == ((), False)
    house.follow()
    assert house.api.pages(SearchPages(after=1), by(BEN)).fresh


def test_a_page_shows_what_became_of_its_revisions(furnished: House) -> None:
    for title in ("Second text", "Third text", "Fourth text"):
        furnished.draft("", page=PLAIN, title=title, body="{{salutation}} {{today}}")
        if title == "Third text":
            request = ReturnPage(page=PLAIN, revision=3, reason="say less")
            furnished.api.submit(SubmitPage(page=PLAIN, revision=3), by(BEN))
            furnished.api.return_(request, by(CAROL))
    furnished.follow()
    view = furnished.api.page(GetPage(page=PLAIN), by(BEN))
    assert [r.status for r in view.revisions] == [
        "draft",
        "returned",
        "superseded",
        "approved",
    ]
    assert view.revisions[1].reason == "say less"
    assert view.revisions[1].decided_by == CAROL
    assert view.revisions[3].body == "{{salutation}}\n\nWelcome."
    assert (view.row.title, view.row.revision) == ("Welcome", 4)
    assert view.row.approved_revision == 1
    assert view.placeholders == ("salutation", "today")
    assert view.row.author_id == BEN
    furnished.approve(PLAIN, revision=4, letter_class="open", fact_required=True)
    furnished.follow()
    view = furnished.api.page(GetPage(page=PLAIN), by(BEN))
    assert [r.status for r in view.revisions][::3] == ["approved", "superseded"]
    assert view.row.title == "Fourth text"
    assert (view.row.letter_class, view.fact_required) == ("open", True)
    furnished.withdraw(PLAIN)
    furnished.follow()
    view = furnished.api.page(GetPage(page=PLAIN), by(BEN))
    assert view.withdrawn_reason == "out of date"
    assert len(furnished.api.page(GetPage(page=FORM), by(BEN)).form) == 4


def test_a_decision_is_taken_once(furnished: House) -> None:
    with pytest.raises(NotSubmitted):
        furnished.api.approve(ApprovePage(page=PLAIN, revision=1), by(CAROL))


def test_text_being_written_is_shown_with_samples_and_marked_gaps(house: House) -> None:
    body = "{{salutation}} {{request.number}} {{colour}} <b> {{7*7}}"
    seen = house.api.preview_markup(PreviewMarkup(title="x", body=body), by(BEN))
    assert seen.gaps == ("colour",)
    assert '<mark class="sample">Dear ' in seen.html
    assert '<mark class="gap">{{colour}}</mark>' in seen.html
    assert "{{7*7}}" in seen.html
    assert "<b>" not in seen.html
    with pytest.raises(LetterInvalid):
        house.api.preview_markup(PreviewMarkup(title="", body="x" * 200_000), by(BEN))
    assert house.facts() == []


def test_a_rebuilt_list_is_the_same(furnished: House) -> None:
    furnished.record()
    furnished.draft("", page=PLAIN, title="Second text", body="{{salutation}}")
    furnished.withdraw(ANSWER)
    furnished.follow()

    def digests() -> list[str]:
        with furnished.readmodel.connect() as connection:
            return [
                digest_of(connection, c.work.tables)
                for c in furnished.follower._cursors
            ]

    before = digests()
    for cursor in furnished.follower._cursors:
        rebuild(furnished.store, furnished.readmodel, cursor.work, lambda *_: None)
    assert digests() == before


def test_what_is_kept_of_a_text_is_canonical(house: House) -> None:
    house.draft("165104", title=" Cafe\u0301 opens ", body="one\r\ntwo\rthree")
    event = house.facts()[0].event
    assert isinstance(event, LetterDrafted)
    assert event.title == "Caf\u00e9 opens"
    assert event.body == "one\ntwo\nthree"


def test_where_every_number_tried_is_taken_nothing_is_written(house: House) -> None:
    context = by(BEN)
    for attempt in range(TRIES):
        house.draft(
            derived_number(context.command_id, "page", digits=6, attempt=attempt)
        )
    before = house.facts()
    with pytest.raises(LetterInvalid, match="No free page number"):
        house.api.draft(DraftPage(title="One more", body=""), context)
    assert house.facts() == before


def test_a_new_text_of_a_page_never_approved_gives_it_its_title(house: House) -> None:
    house.draft("165104")
    house.draft("", page="165104", title="Better title")
    assert found(house, "better") == ["165104"]
    assert found(house, "some") == []
    house.follow()
    view = house.api.page(GetPage(page="165104"), by(BEN))
    assert view.row.title == "Better title"


def test_a_position_without_a_fact_is_a_fault(house: House) -> None:
    with pytest.raises(CorruptRecord):
        fact_at(house.store, 1)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.draft.number))
def test_every_page_of_the_demo_gets_as_far_as_it_says(
    furnished: House, page: DemoPage
) -> None:
    number = furnished.api.draft(page.draft, by(BEN)).ref
    if page.submitted or page.approved:
        furnished.api.submit(SubmitPage(page=number, revision=1), by(BEN))
    if page.approved:
        request = ApprovePage(
            page=number,
            revision=1,
            letter_class=page.letter_class,
            purpose=page.purpose,
            fact_required=page.fact_required,
        )
        furnished.api.approve(request, by(CAROL))
    furnished.follow()
    status = furnished.api.page(GetPage(page=number), by(BEN)).row.status
    if page.approved:
        assert status == "approved"
    else:
        assert status == ("submitted" if page.submitted else "draft")


def test_a_used_command_writes_no_other_page(house: House) -> None:
    context = by(BEN)
    first = house.api.draft(DraftPage(title="One", body=""), context)
    with pytest.raises(Malformed):
        house.api.draft(DraftPage(title="Another", body=""), context)
    assert house.api.draft(DraftPage(title="One", body=""), context) == first
