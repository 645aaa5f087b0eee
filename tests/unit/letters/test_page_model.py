"""The life of a page, told as given / when / then, and as laws over any history."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.letters.commands import (
    ApprovePage,
    DraftPage,
    FormField,
    IssueLetter,
    Merge,
    ReturnPage,
    SubmitPage,
    WithdrawPage,
)
from services.letters.errors import (
    AuthorCannotApprove,
    LetterInvalid,
    LetterIsWithdrawn,
    LetterNotApproved,
    NotSubmitted,
    PageUnknown,
    SecretNotOffered,
)
from services.letters.events import (
    LetterApproved,
    LetterDrafted,
    LetterIssued,
    LetterReturned,
    LetterSubmitted,
    LetterWithdrawn,
)
from services.letters.model import deciding as rules
from services.letters.model.draft import written
from services.letters.model.page import Page, evolve, hash_of, in_force
from shared.errors import DomainError
from shared.events import Event, Sealed
from tests.builders import NOON
from tests.facts import ThingMade

BEN, CAROL, DORA = "b" * 32, "c" * 32, "d" * 32
PAGE = "165104"
TEXT = DraftPage(title="Welcome", body="{{salutation}}\n\nWelcome.")
ISSUE = IssueLetter(
    page=PAGE,
    record=None,
    contact_id="1" * 32,
    envelope_id="e" * 32,
    merge=Merge(formal_name="", salutation="", sender_name="", organisation=""),
)


def after(page: Page, facts: list[Event]) -> Page:
    for fact in facts:
        page = evolve(page, fact)
    return page


def drafted(page: Page | None = None, by: str = BEN, **changes: Any) -> Page:
    page = page or Page()
    text = written(DraftPage(**({"title": TEXT.title, "body": TEXT.body} | changes)))
    return after(page, rules.draft(page, PAGE, text, by))


def submitted(page: Page) -> Page:
    assert page.newest
    request = SubmitPage(page=PAGE, revision=page.newest.number)
    return after(page, rules.submit(page, request))


def approval(page: Page, by: str = CAROL, **changes: Any) -> list[Event]:
    assert page.newest
    fields = {"page": PAGE, "revision": page.newest.number} | changes
    return rules.approve(page, ApprovePage(**fields), by, NOON)


def approved() -> Page:
    page = submitted(drafted())
    return after(page, approval(page))


def test_a_page_is_approved_by_another_person() -> None:
    page = submitted(drafted())
    facts = approval(page, fact_required=True, letter_class="open")
    assert page.newest
    assert facts == [
        LetterApproved(
            page=PAGE,
            revision=1,
            letter_class="open",
            purpose="service",
            fact_required=True,
            letter_hash=page.newest.letter_hash,
            approver_id=CAROL,
            approved_at=NOON,
        )
    ]


def test_its_author_cannot_approve() -> None:
    page = submitted(drafted())
    with pytest.raises(AuthorCannotApprove):
        approval(page, by=BEN)


def test_class_secret_is_not_offered() -> None:
    with pytest.raises(SecretNotOffered):
        approval(submitted(drafted()), letter_class="secret")


@pytest.mark.parametrize("how", [{"letter_class": "public"}, {"purpose": "advice"}])
def test_there_are_no_other_classes_or_purposes(how: dict[str, str]) -> None:
    with pytest.raises(LetterInvalid):
        approval(submitted(drafted()), **how)


def test_only_the_submitted_revision_is_decided() -> None:
    with pytest.raises(NotSubmitted):
        approval(drafted())
    with pytest.raises(NotSubmitted):
        approval(submitted(drafted()), revision=2)
    with pytest.raises(NotSubmitted):
        rules.return_(approved(), ReturnPage(page=PAGE, revision=1, reason="too long"))


def test_only_the_newest_draft_is_submitted() -> None:
    page = drafted(drafted())
    for revision in (1, 3):
        with pytest.raises(LetterInvalid):
            rules.submit(page, SubmitPage(page=PAGE, revision=revision))
    with pytest.raises(LetterInvalid):
        rules.submit(submitted(page), SubmitPage(page=PAGE, revision=2))


def test_the_approved_revision_stays_in_force_while_newer_ones_are_written() -> None:
    page = submitted(drafted(approved(), title="Welcome again"))
    assert in_force(page).revision.number == 1
    back = ReturnPage(page=PAGE, revision=2, reason="say less")
    assert in_force(after(page, rules.return_(page, back))).revision.number == 1
    newer = after(page, approval(page))
    assert in_force(newer).revision.title == "Welcome again"


def test_a_returned_revision_is_written_anew() -> None:
    page = submitted(drafted())
    back = rules.return_(page, ReturnPage(page=PAGE, revision=1, reason="say less"))
    assert back == [LetterReturned(page=PAGE, revision=1, comment="say less")]
    page = after(page, back)
    with pytest.raises(LetterInvalid):
        rules.submit(page, SubmitPage(page=PAGE, revision=1))
    assert drafted(page).status == "draft"


@pytest.mark.parametrize("reason", ["", "  ", "x", "a\nb\nc", "y" * 501])
def test_a_reason_is_a_line_of_words(reason: str) -> None:
    with pytest.raises(LetterInvalid):
        rules.withdraw(approved(), WithdrawPage(page=PAGE, reason=reason))


def test_a_withdrawn_page_is_over() -> None:
    page = submitted(drafted(approved()))
    page = after(page, rules.withdraw(page, WithdrawPage(page=PAGE, reason="old")))
    tries: list[Callable[[], object]] = [
        lambda: drafted(page),
        lambda: rules.submit(page, SubmitPage(page=PAGE, revision=2)),
        lambda: approval(page),
        lambda: rules.return_(page, ReturnPage(page=PAGE, revision=2, reason="old")),
        lambda: rules.issue(page, ISSUE, None),
        lambda: rules.withdraw(page, WithdrawPage(page=PAGE, reason="old")),
    ]
    for attempt in tries:
        with pytest.raises(LetterIsWithdrawn):
            attempt()


def test_what_was_never_approved_is_neither_issued_nor_withdrawn() -> None:
    for page in (drafted(), submitted(drafted())):
        with pytest.raises(LetterNotApproved):
            rules.issue(page, ISSUE, None)
        with pytest.raises(LetterNotApproved):
            rules.withdraw(page, WithdrawPage(page=PAGE, reason="old"))


def test_a_page_that_does_not_exist_is_unknown() -> None:
    with pytest.raises(PageUnknown):
        rules.submit(Page(), SubmitPage(page=PAGE, revision=1))
    with pytest.raises(PageUnknown):
        in_force(Page())


def test_issuing_leaves_no_trace_in_the_state() -> None:
    page = approved()
    assert after(page, rules.issue(page, ISSUE, None)) == page
    assert evolve(page, ThingMade(thing_id="t1")) == page


def test_the_hash_is_of_the_canonical_revision() -> None:
    one, other = drafted().newest, drafted(body=TEXT.body + " ").newest
    assert one
    assert other
    assert one.letter_hash == hash_of(one)
    assert one.letter_hash != other.letter_hash
    # known answer: independent of this program's order of fields
    canonical = (
        b'{"answers":null,"body":"{{salutation}}\\n\\nWelcome.","form":[],'
        b'"kind":"note","page":"165104","page_type":"letter","revision":1,'
        b'"title":"Welcome"}'
    )
    assert hash_of(one) == hashlib.sha256(canonical).hexdigest()


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": "ab"},
        {"title": "x" * 121},
        {"title": "a\nb c"},
        {"title": "Hello \u202egnp"},
        {"title": "=?utf-8?q?x?="},
        {"title": "Dear {{formal_name}}"},
        {"title": "tab\there"},
        {"body": "x" * 100_001},
        {"body": "\u00e9" * 60_000},
        {"body": "a\x00b"},
        {"body": "a\ud800b"},
        {"kind": "chat"},
        {"page_type": "poem"},
        {"answers": "12"},
        {"answers": "\u0661\u0661\u0661\u0661\u0661\u0661"},
        {"form": (FormField(name="a", label="A", type="text"),)},
        {"page_type": "form", "answers": "165100"},
    ],
)
def test_what_may_not_even_be_drafted(wrong: dict[str, Any]) -> None:
    with pytest.raises(LetterInvalid):
        drafted(**wrong)


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "Name"},
        {"name": "number"},
        {"name": "a" * 41},
        {"name": "a-b"},
        {"label": ""},
        {"type": "html"},
        {"type": "choice"},
        {"choices": ("a",)},
        {"type": "choice", "choices": ("a", "a")},
        {"type": "choice", "choices": ("a", "")},
    ],
)
def test_a_field_of_a_form_is_well_formed(bad: dict[str, Any]) -> None:
    fields = {"name": "a", "label": "A", "type": "text"} | bad
    with pytest.raises(LetterInvalid):
        drafted(page_type="form", form=(FormField(**fields),))


def test_two_fields_do_not_share_a_name() -> None:
    twice = (FormField(name="a", label="A", type="text"),) * 2
    with pytest.raises(LetterInvalid):
        drafted(page_type="form", form=twice)
    many = tuple(FormField(name=f"a{i}", label="A", type="text") for i in range(61))
    with pytest.raises(LetterInvalid):
        drafted(page_type="form", form=many)


def test_a_quotation_never_becomes_a_typed_field() -> None:
    quoted = (FormField(name="story", label="Story", type="quotation"),)
    page = submitted(drafted(page_type="form", form=quoted))
    page = after(page, approval(page))
    page = drafted(page, page_type="form", form=())  # it may go
    page = submitted(page)
    page = after(page, approval(page))
    typed = (FormField(name="story", label="Story", type="text"),)
    with pytest.raises(LetterInvalid):
        drafted(page, page_type="form", form=typed)  # and not come back as another


def test_a_letter_does_not_turn_into_a_form() -> None:
    with pytest.raises(LetterInvalid):
        drafted(drafted(), page_type="form")


def test_a_body_without_key_is_an_empty_body() -> None:
    event = LetterDrafted(
        page=PAGE,
        revision=1,
        page_type="letter",
        title="Welcome",
        body=Sealed(key_id="k", box=b"b"),
        kind="note",
        answers=None,
        form=Sealed(key_id="k", box=b"b"),
        letter_hash="a" * 64,
        author_id=BEN,
    )
    page = evolve(Page(), event)
    assert page.newest
    assert page.newest.body == ""
    assert hash_of(page.newest) != page.newest.letter_hash


ACTS = st.sampled_from(["draft", "submit", "approve", "return", "withdraw", "issue"])
STEPS = st.lists(
    st.tuples(ACTS, st.sampled_from([BEN, CAROL, DORA]), st.integers(-1, 0)),
    max_size=40,
)


@dataclass
class History:
    """A naive account of a page, kept beside the model."""

    page: Page = field(default_factory=Page)
    authors: dict[int, str] = field(default_factory=dict)
    decision: dict[int, str] = field(default_factory=dict)
    approvals: list[tuple[int, str]] = field(default_factory=list)
    withdrawn: bool = False


def step(history: History, act: str, actor: str, offset: int) -> list[Event]:
    page = history.page
    number = (page.newest.number if page.newest else 1) + offset
    match act:
        case "draft":
            return rules.draft(page, PAGE, written(TEXT), actor)
        case "submit":
            return rules.submit(page, SubmitPage(page=PAGE, revision=number))
        case "approve":
            request = ApprovePage(page=PAGE, revision=number)
            return rules.approve(page, request, actor, NOON)
        case "return":
            back = ReturnPage(page=PAGE, revision=number, reason="say less")
            return rules.return_(page, back)
        case "withdraw":
            return rules.withdraw(page, WithdrawPage(page=PAGE, reason="old"))
        case _:
            return rules.issue(page, ISSUE, None)


def note(history: History, fact: Event, actor: str) -> None:
    match fact:
        case LetterDrafted():
            history.authors[fact.revision] = fact.author_id
            history.decision[fact.revision] = "draft"
        case LetterSubmitted():
            history.decision[fact.revision] = "submitted"
        case LetterApproved():
            assert actor != history.authors[fact.revision]
            assert history.decision[fact.revision] == "submitted"
            assert fact.revision == max(history.authors)
            history.decision[fact.revision] = "approved"
            history.approvals.append((fact.revision, actor))
        case LetterReturned():
            history.decision[fact.revision] = "returned"
        case LetterWithdrawn():
            history.withdrawn = True
        case LetterIssued():
            assert not history.withdrawn
            assert fact.revision == history.approvals[-1][0]
            assert history.decision[fact.revision] == "approved"
        case _:
            message = fact.type_name
            raise AssertionError(message)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_nothing_is_issued_but_the_last_approved_revision_of_a_living_page(
    steps: list[tuple[str, str, int]],
) -> None:
    history = History()
    for act, actor, offset in steps:
        try:
            facts = step(history, act, actor, offset)
        except DomainError:
            continue
        for fact in facts:
            note(history, fact, actor)
            history.page = evolve(history.page, fact)
    living = bool(history.approvals) and not history.withdrawn
    if living:
        force = in_force(history.page)
        assert force.revision.number == history.approvals[-1][0]
        assert force.revision.author_id != history.approvals[-1][1]
    else:
        with pytest.raises(DomainError):
            in_force(history.page)


@settings(max_examples=50, deadline=None)
@given(STEPS)
def test_the_same_facts_give_the_same_page(steps: list[tuple[str, str, int]]) -> None:
    history, facts = History(), []
    for act, actor, offset in steps:
        try:
            new = step(history, act, actor, offset)
        except DomainError:
            continue
        facts += new
        history.page = after(history.page, new)
    assert after(Page(), facts) == history.page
