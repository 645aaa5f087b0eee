"""A letter merged for one contact: the right one, once, and never for another."""

from __future__ import annotations

import base64
import re
import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.letters.commands import FormField, IssueLetter, Merge, PreviewLetter
from services.letters.errors import (
    DataMissing,
    LetterIsWithdrawn,
    LetterNotApproved,
    PageUnknown,
    RecordMissing,
    RecordNotFitting,
    RecordNotTheirs,
    RecordUnknown,
)
from services.letters.events import LetterDrafted, LetterIssued, LetterWithdrawn
from shared.errors import DomainError, Malformed
from shared.eventstore.port import CorruptRecord
from tests.unit.letters.conftest import (
    ANNA,
    ANSWER,
    BEN,
    BODY,
    EDITH,
    FIELDS,
    FORM,
    KEY,
    LIN,
    OWEN,
    PLAIN,
    STORY,
    TOM,
    VALUES,
    House,
    by,
)


def issued(house: House) -> list[LetterIssued]:
    return [f.event for f in house.facts() if isinstance(f.event, LetterIssued)]


def test_a_letter_is_merged_with_the_request_and_recorded(furnished: House) -> None:
    furnished.record()
    letter = furnished.issue(ANSWER, KEY)
    assert "<p>Dear Mr Tom Jones</p>" in letter.html
    assert f"on 3 November 2026 as <strong>{KEY}</strong>." in letter.html
    assert "Harbour &amp; Vale, 2 March 2026" in letter.html
    assert letter.gaps == ()
    assert letter.request_author
    assert letter.record_summary == "Complaint: Bill, received on 3 November 2026"
    assert letter.approved_at == furnished.clock.now()
    assert (letter.letter_class, letter.purpose) == ("private", "service")
    assert issued(furnished) == [
        LetterIssued(
            page=ANSWER,
            revision=1,
            letter_hash=letter.letter_hash,
            contact_id=TOM,
            envelope_id="e" * 32,
            record_revision=1,
        )
    ]
    assert letter.position == furnished.facts()[-1].position


def test_a_repeat_returns_the_same_bytes_whatever_changed_since(
    furnished: House,
) -> None:
    furnished.record(subject_id=EDITH)
    context = by(ANNA)
    first = furnished.issue(ANSWER, KEY, context=context)
    furnished.clock.move(timedelta(days=2))
    furnished.record(record=KEY, fields=VALUES | {"received": "2026-12-24"})
    furnished.draft("", page=ANSWER, title="Newer text", body=BODY, answers=FORM)
    furnished.approve(ANSWER, revision=2, letter_class="open")
    furnished.draft("", page=FORM, page_type="form", title="Complaint", form=FIELDS[2:])
    furnished.approve(FORM, revision=2)
    furnished.withdraw(ANSWER)
    assert furnished.issue(ANSWER, KEY, context=context).html == first.html
    again = furnished.issue(ANSWER, KEY, context=context)
    assert (again.title, again.position) == (first.title, first.position)
    assert (again.letter_class, again.letter_hash) == ("private", first.letter_hash)
    assert len(issued(furnished)) == 1
    with pytest.raises(LetterIsWithdrawn):
        furnished.issue(ANSWER, KEY)


def test_a_command_id_is_not_reused_for_another_person(furnished: House) -> None:
    furnished.record()
    furnished.record(author_id=EDITH, number="165100-200001")
    context = by(ANNA)
    furnished.issue(ANSWER, KEY, context=context)
    with pytest.raises(Malformed):
        furnished.issue(ANSWER, "165100-200001", EDITH, context=context)
    with pytest.raises(Malformed):
        furnished.issue(ANSWER, KEY, context=context, envelope="f" * 32)
    with pytest.raises(RecordNotTheirs):
        furnished.issue(ANSWER, "165100-200001", TOM, context=context)


def test_only_what_is_in_force_is_issued(furnished: House) -> None:
    furnished.draft("165140", body="{{salutation}}")
    with pytest.raises(LetterNotApproved):
        furnished.issue("165140")
    with pytest.raises(LetterNotApproved):
        furnished.preview("165140")
    for number in ("165199", "x"):
        with pytest.raises(PageUnknown):
            furnished.issue(number)
    furnished.withdraw(PLAIN)
    with pytest.raises(LetterIsWithdrawn):
        furnished.issue(PLAIN)
    with pytest.raises(LetterIsWithdrawn):
        furnished.preview(PLAIN)
    assert issued(furnished) == []


def test_a_record_must_fit_the_letter(furnished: House) -> None:
    furnished.record()
    furnished.draft(
        "165150", page_type="form", title="Other form", body="", form=FIELDS[:1]
    )
    furnished.approve("165150")
    other = furnished.record(
        page="165150", number="165150-200001", fields={"subject": "Bill"}
    )
    for page, key, refusal in (
        (ANSWER, None, RecordMissing),
        (FORM, None, RecordMissing),
        (ANSWER, other, RecordNotFitting),
        (FORM, other, RecordNotFitting),
        (PLAIN, KEY, RecordNotFitting),
        (ANSWER, "165100-999999", RecordUnknown),
        (ANSWER, "' or 1=1", RecordUnknown),
    ):
        for attempt in (furnished.issue, furnished.preview):
            with pytest.raises(refusal):
                attempt(page, key)
    assert issued(furnished) == []


def test_a_detail_that_is_not_on_file_is_named(furnished: House) -> None:
    body = "{{salutation}} {{request.amount}} {{formal_name}}"
    furnished.draft("165160", body=body, answers=FORM)
    furnished.approve("165160")
    furnished.record()
    with pytest.raises(DataMissing, match=r"request\.amount"):
        furnished.issue("165160", KEY)
    nameless = Merge(
        formal_name=" ", salutation="Dear Tom", sender_name="A", organisation="O"
    )
    request = IssueLetter(
        page="165160",
        record=KEY,
        contact_id=TOM,
        envelope_id="e" * 32,
        merge=nameless,
    )
    with pytest.raises(DataMissing, match=r"request\.amount, formal_name"):
        furnished.api.issue(request, by(ANNA))
    assert issued(furnished) == []


def test_values_carry_neither_markup_nor_placeholders(furnished: House) -> None:
    story = "<img src=x onerror=alert(1)> {{sender_name}} \"quoted\" & 'single'\nline"
    furnished.draft("165170", body="{{salutation}}\n\n{{request.story}}", answers=FORM)
    furnished.approve("165170")
    furnished.record(fields=VALUES | {"story": story})
    evil = Merge(
        formal_name="x",
        salutation="<script>{{organisation}}</script>",
        sender_name="SENDER",
        organisation="ORGANISATION",
    )
    for page in ("165170", FORM):
        letter = furnished.api.preview(
            PreviewLetter(page=page, record=KEY, contact_id=TOM, merge=evil), by(ANNA)
        )
        tags = set(re.findall(r"<(\w+)", letter.html))
        assert tags <= {"p", "br", "table", "tbody", "tr", "th", "td"}
        assert "SENDER" not in letter.html
        assert "ORGANISATION" not in letter.html
        assert "&lt;img src=x onerror=alert(1)&gt; {{sender_name}}" in letter.html
        assert "&#x27;single&#x27;<br>line" in letter.html


def test_a_form_shows_its_request_as_a_table(furnished: House) -> None:
    furnished.record(subject_id=EDITH)
    mine, hers = (furnished.issue(FORM, KEY, who).html for who in (TOM, EDITH))
    assert mine.startswith("<p>Dear Mr Tom Jones</p>\n<p>As told:</p>")
    assert f'<th scope="row">Request number</th><td>{KEY}</td>' in mine
    assert '<th scope="row">Received on</th><td>3 November 2026</td>' in mine
    assert "Amount" not in mine
    assert STORY in mine
    assert STORY not in hers
    assert "In your own words" not in hers
    assert '<th scope="row">About</th><td>Bill</td>' in hers


def test_the_subject_is_told_whose_request_it_is_not(furnished: House) -> None:
    furnished.record(subject_id=EDITH)
    assert not furnished.issue(ANSWER, KEY, EDITH).request_author


ROLES = {"author": TOM, "subject": EDITH, "assignee": OWEN, "other": LIN}


@settings(
    max_examples=60,
    suppress_health_check=(
        *settings().suppress_health_check,
        HealthCheck.function_scoped_fixture,
    ),
)
@given(
    who=st.sampled_from(sorted(ROLES)),
    present=st.sets(st.sampled_from(["subject", "assignee"])),
    page=st.sampled_from(["quoting", "typed", "form"]),
    way=st.sampled_from(["issue", "preview", "draft preview"]),
)
def test_a_record_goes_to_nobody_but_its_people(
    furnished: House, who: str, present: set[str], page: str, way: str
) -> None:
    if not any(fact.stream.endswith("165180") for fact in furnished.facts()):
        body = "{{salutation}} {{request.story}}"
        furnished.draft("165180", body=body, answers=FORM)
        furnished.approve("165180")
    key = furnished.record(
        number=None,
        subject_id=EDITH if "subject" in present else None,
        assignee_id=OWEN if "assignee" in present else None,
    )
    number = {"quoting": "165180", "typed": ANSWER, "form": FORM}[page]
    theirs = who == "author" or who in present
    quotes = theirs and who != "subject"
    before = len(issued(furnished))
    try:
        if way == "issue":
            html = furnished.issue(number, key, ROLES[who]).html
        else:
            revision = 1 if way == "draft preview" else 0
            html = furnished.preview(number, key, ROLES[who], revision=revision).html
    except RecordNotTheirs:
        assert not theirs or (page == "quoting" and not quotes)
        assert len(issued(furnished)) == before
    else:
        assert theirs
        assert (STORY in html) is (quotes and page != "typed")
        assert len(issued(furnished)) == before + (way == "issue")


def test_a_record_is_shown_for_a_contact_only(furnished: House) -> None:
    furnished.record()
    for revision in (0, 1):
        with pytest.raises(RecordNotTheirs):
            furnished.preview(ANSWER, KEY, None, revision=revision)
    assert furnished.preview(PLAIN, None, None).html


def test_a_preview_writes_nothing_and_shows_what_would_go(furnished: House) -> None:
    furnished.record()
    before = furnished.facts()
    seen = furnished.preview(ANSWER, KEY)
    assert furnished.facts() == before
    assert furnished.issue(ANSWER, KEY).html == seen.html


def test_a_draft_is_previewed_with_its_gaps_marked(furnished: House) -> None:
    furnished.draft("", page=ANSWER, title="Newer text", body=BODY + "{{x}}")
    seen = furnished.preview(ANSWER, None, revision=2)
    assert seen.gaps == ("request.received", "request.number", "x")
    assert '<mark class="gap">{{x}}</mark>' in seen.html
    assert (seen.letter_class, seen.approved_at) == ("", None)
    old = furnished.preview(ANSWER, None, revision=1)
    assert old.letter_class == "private"
    assert furnished.preview(FORM, None, revision=1).html.startswith("<p>Dear ")
    with pytest.raises(PageUnknown):
        furnished.preview(ANSWER, None, revision=9)


def test_an_older_revision_is_found_again(furnished: House) -> None:
    for revision in (2, 3):
        furnished.draft("", page=PLAIN, title=f"Text {revision}", body="{{salutation}}")
        furnished.approve(PLAIN, revision=revision)
    assert furnished.preview(PLAIN, revision=1).title == "Welcome"
    assert furnished.preview(PLAIN, revision=2).title == "Text 2"
    assert furnished.preview(PLAIN).title == "Text 3"


def test_sends_racing_with_a_withdrawal_are_ordered_by_the_store(
    furnished: House,
) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(7)

    def send() -> None:
        start.wait()
        for _ in range(4):
            try:
                furnished.issue(PLAIN)
                outcomes.append("sent")
            except DomainError as refusal:
                outcomes.append(refusal.code)

    def stop() -> None:
        start.wait()
        furnished.withdraw(PLAIN)

    threads = [threading.Thread(target=send) for _ in range(6)]
    threads.append(threading.Thread(target=stop))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    facts = furnished.facts()
    stopped = [f.position for f in facts if isinstance(f.event, LetterWithdrawn)]
    sent = [f.position for f in facts if isinstance(f.event, LetterIssued)]
    assert len(stopped) == 1
    assert all(position < stopped[0] for position in sent)
    assert outcomes.count("sent") == len(sent)
    assert set(outcomes) <= {"sent", "letter_withdrawn", "wrong_version"}
    assert len(outcomes) == 24


def test_a_text_that_is_not_what_was_approved_is_not_issued(house: House) -> None:
    stream = f"letters.page-{PLAIN}"
    drafted = LetterDrafted(
        page=PLAIN,
        revision=1,
        page_type="letter",
        title="Welcome",
        body="{{salutation}} Slipped in.",
        kind="note",
        answers=None,
        form="",
        letter_hash="0" * 64,
        author_id=BEN,
    )
    house.tell(stream, drafted)
    house.approve(PLAIN)
    with pytest.raises(CorruptRecord):
        house.issue(PLAIN)


def test_an_approval_is_found_again_for_a_repeat(furnished: House) -> None:
    context = by(ANNA)
    first = furnished.issue(PLAIN, context=context)
    furnished.draft("", page=PLAIN, title="Newer", body="{{salutation}} New.")
    furnished.approve(PLAIN, revision=2, letter_class="open", purpose="marketing")
    furnished.draft("", page=PLAIN, title="Newest", body="{{salutation}} Newest.")
    assert furnished.issue(PLAIN, context=context) == first
    assert furnished.issue(PLAIN).purpose == "marketing"


CANARIES = ("KANARIENVOGEL", "Zinnoberrot", "Wolkenbruch")


def forms_of(word: str) -> list[bytes]:
    plain = word.encode()
    return [
        plain,
        plain.hex().encode(),
        word.encode("utf-16-le"),
        *(base64.b64encode(b"x" * n + plain)[4:-4] for n in range(3)),
    ]


def test_no_value_and_no_text_lies_in_plain_anywhere(furnished: House) -> None:
    value, text, label = CANARIES
    fields = (*FIELDS, FormField(name="extra", label=label, type="text"))
    furnished.draft(
        "", page=FORM, page_type="form", title="Complaint", body=text, form=fields
    )
    furnished.approve(FORM, revision=2)
    furnished.draft("165190", body="{{salutation}} " + text, answers=FORM)
    furnished.approve("165190")
    furnished.record(fields=VALUES | {"story": value, "extra": value})
    assert value in furnished.issue(FORM, KEY).html
    furnished.issue("165190", KEY)
    furnished.preview("165190", KEY)
    furnished.follow()
    raws = furnished.journal.read_all(0, 1000)
    stored = b"".join(raw.body + raw.meta + raw.stream.encode() for raw in raws)
    files = b"".join(
        path.read_bytes() for path in furnished.folder.rglob("*") if path.is_file()
    )
    assert b"LetterDrafted" in b"".join(raw.type_name.encode() for raw in raws)
    assert b"Complaint" in files  # titles are no secret
    for canary in CANARIES:
        for form in forms_of(canary):
            assert form not in stored
            assert form not in files
