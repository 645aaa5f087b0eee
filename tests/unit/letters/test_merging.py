"""What a letter may show, judged without a store."""

from __future__ import annotations

from services.letters.events import RecordSaved
from services.letters.model.merging import Shown, merged, needs_record
from services.letters.model.page import Revision
from services.letters.model.record import Record, Saved, evolve, summary
from tests.builders import NOON
from tests.facts import ThingMade
from tests.unit.letters.conftest import EDITH, FIELDS, FORM, KEY, MERGE, TOM, VALUES

SAVED = Saved(
    key=KEY,
    page=FORM,
    author_id=TOM,
    subject_id=None,
    assignee_id=None,
    revision=1,
    values=VALUES,
)


def revision(body: str) -> Revision:
    return Revision(
        page="165104",
        number=1,
        page_type="letter",
        title="Welcome",
        body=body,
        kind="note",
        answers=FORM,
        form=(),
        author_id="b" * 32,
        letter_hash="",
    )


def test_a_value_whose_type_is_not_known_is_a_gap() -> None:
    shown = Shown(
        merge=MERGE,
        contact_id=TOM,
        today=NOON,
        record=SAVED,
        types={"received": "date"},
    )
    result = merged(revision("{{request.story}} {{request.received}}"), shown)
    assert result.gaps == ("request.story",)
    assert "3 November 2026" in result.html
    assert VALUES["story"] not in result.html


def test_only_a_letter_that_shows_a_request_needs_one() -> None:
    assert needs_record(revision("{{request.number}}"))
    assert not needs_record(revision("{{salutation}} {{7*7}}"))


def test_an_absent_subject_is_nobody() -> None:
    for nobody in (None, "", EDITH):
        assert not SAVED.belongs_to(nobody)
        assert not SAVED.quotes_for(nobody)


def test_a_summary_is_one_short_line_without_quotations() -> None:
    assert summary("Complaint", FIELDS, SAVED) == (
        "Complaint: Bill, received on 3 November 2026"
    )
    assert summary("Complaint", FIELDS[3:], SAVED) == "Complaint"
    assert len(summary("x" * 500, FIELDS, SAVED)) == 160


def test_a_record_remembers_no_value() -> None:
    event = RecordSaved(
        record=KEY,
        page=FORM,
        contact_id=TOM,
        subject_id=None,
        assignee_id=None,
        fields='{"story":"x"}',
        revision=3,
    )
    record = evolve(Record(), event)
    assert record == Record(page=FORM, author_id=TOM, revision=3)
    assert evolve(record, ThingMade(thing_id="t1")) == record
