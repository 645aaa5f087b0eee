"""Records: whose they are, what is kept of them, and what an erasure leaves."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from services.letters.commands import GetRecord, SaveRecord, SearchRecords
from services.letters.errors import (
    LetterIsWithdrawn,
    LetterNotApproved,
    PageUnknown,
    RecordInvalid,
    RecordNotTheirs,
    RecordUnknown,
)
from services.letters.events import RecordSaved
from shared.crypto.keyring import KeyDestroyed
from shared.errors import DomainError, Malformed
from shared.eventstore.port import NO_STREAM
from tests.unit.letters.conftest import (
    ANNA,
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


def listed(house: House, **how: Any) -> list[str]:
    house.follow()
    found = house.api.records(SearchRecords(**how), by(ANNA))
    return [row.record for row in found.rows]


def test_a_request_gets_the_key_it_wishes_for_if_it_is_free(furnished: House) -> None:
    assert furnished.record() == KEY
    other = furnished.record(author_id=EDITH)
    assert other != KEY
    assert other.startswith(f"{FORM}-")
    assert len(other) == len(KEY)


def test_a_double_press_records_one_request(furnished: House) -> None:
    request = SaveRecord(page=FORM, author_id=TOM, fields=VALUES)
    context = by(ANNA)
    first, second = (furnished.api.save_record(request, context) for _ in range(2))
    assert first == second
    assert furnished.kinds().count("RecordSaved") == 1


def test_values_are_kept_as_typed_and_shown_in_words(furnished: House) -> None:
    furnished.record(fields=VALUES | {"amount": "48"})
    view = furnished.api.record(GetRecord(record=KEY), by(ANNA))
    assert view.values["amount"] == "48.00"
    assert view.fields == (
        ("About", "Bill"),
        ("Received on", "3 November 2026"),
        ("Amount", "48.00"),
        ("In your own words", STORY),
    )
    assert view.row.summary == "Complaint: Bill, received on 3 November 2026"
    assert view.row.form_title == "Complaint"


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        ({"fields": {}}, RecordInvalid),
        ({"fields": VALUES | {"colour": "red"}}, RecordInvalid),
        ({"fields": VALUES | {"received": "soon"}}, RecordInvalid),
        ({"author_id": "tom"}, RecordInvalid),
        ({"author_id": "house"}, RecordInvalid),
        ({"subject_id": "1"}, RecordInvalid),
        ({"assignee_id": ""}, RecordInvalid),
        ({"number": "165104-204817"}, RecordInvalid),
        ({"number": "204817"}, RecordInvalid),
        ({"page": PLAIN, "number": None}, PageUnknown),
        ({"page": "165199", "number": None}, PageUnknown),
        ({"page": "x", "number": None}, PageUnknown),
        ({"record": "165100-999999"}, RecordUnknown),
        ({"record": "x"}, RecordUnknown),
    ],
)
def test_what_does_not_fit_the_form_is_refused(
    furnished: House, wrong: dict[str, Any], refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        furnished.record(**wrong)
    assert "RecordSaved" not in furnished.kinds()


def test_a_form_takes_requests_while_it_is_in_force(house: House) -> None:
    house.draft(FORM, page_type="form", title="Complaint", form=FIELDS)
    with pytest.raises(LetterNotApproved):
        house.record()
    house.approve(FORM)
    house.record()
    house.withdraw(FORM)
    with pytest.raises(LetterIsWithdrawn):
        house.record(number=None)
    house.record(record=KEY, fields=VALUES | {"subject": "Visit"})  # a correction


def test_a_correction_is_the_next_state_of_the_same_request(furnished: House) -> None:
    furnished.record()
    furnished.record(record=KEY, subject_id=EDITH, fields=VALUES | {"subject": "Visit"})
    view = furnished.api.record(GetRecord(record=KEY), by(ANNA))
    assert (view.revision, view.values["subject"]) == (2, "Visit")
    assert view.row.subject_id == EDITH


def test_a_request_keeps_its_author_and_its_form(furnished: House) -> None:
    furnished.record()
    with pytest.raises(RecordInvalid):
        furnished.record(record=KEY, author_id=EDITH)
    with pytest.raises(RecordInvalid):
        furnished.record(record=KEY, page=PLAIN)


def test_a_request_is_listed_for_all_whose_it_is(furnished: House) -> None:
    furnished.record(subject_id=EDITH, assignee_id=OWEN)
    other = furnished.record(author_id=LIN)
    for contact in (TOM, EDITH, OWEN):
        assert listed(furnished, contact_id=contact) == [KEY]
    assert listed(furnished, contact_id=LIN) == [other]
    assert listed(furnished, page=FORM) == [other, KEY]
    assert listed(furnished, page=FORM, contact_id=TOM) == [KEY]
    assert listed(furnished, page=FORM, limit=1) == [other]
    assert listed(furnished, contact_id="9" * 32) == []
    with pytest.raises(RecordInvalid):
        listed(furnished)


def test_a_record_is_shown_to_its_people_and_its_quotations_to_fewer(
    furnished: House,
) -> None:
    furnished.record(subject_id=EDITH, assignee_id=OWEN)
    for contact, quoted in ((TOM, True), (EDITH, False), (OWEN, True), (None, True)):
        request = GetRecord(record=KEY, contact_id=contact)
        view = furnished.api.record(request, by(ANNA))
        assert (STORY in dict(view.fields).values()) is quoted
        assert (STORY in view.values.values()) is quoted
    for stranger in (LIN, "", "None"):
        with pytest.raises(RecordNotTheirs):
            furnished.api.record(GetRecord(record=KEY, contact_id=stranger), by(ANNA))
    for key in ("165100-999999", "x", "165104-204817"):
        with pytest.raises(RecordUnknown):
            furnished.api.record(GetRecord(record=key), by(ANNA))


def test_a_forgotten_author_takes_the_request_along(furnished: House) -> None:
    furnished.record(subject_id=EDITH)
    other = furnished.record(author_id=EDITH)
    furnished.follow()
    furnished.forget(TOM)
    furnished.react()
    # before the list knows: the values are gone already
    found = furnished.api.records(SearchRecords(contact_id=EDITH), by(ANNA))
    assert [row.record for row in found.rows] == [other]
    with pytest.raises(RecordUnknown):
        furnished.api.record(GetRecord(record=KEY), by(ANNA))
    with pytest.raises(RecordUnknown):
        furnished.issue(FORM, KEY, EDITH)
    assert listed(furnished, contact_id=EDITH) == [other]
    assert listed(furnished, contact_id=TOM) == []
    with pytest.raises(KeyDestroyed):
        furnished.record(number=None)


def test_keys_are_destroyed_once_and_said_to_be(furnished: House) -> None:
    furnished.record()
    furnished.forget(TOM)
    furnished.react()
    reaction = furnished.reactor._cursors[0].work
    for fact in furnished.facts():
        if fact.event.type_name == "ContactForgotten":
            reaction.react(fact)
    furnished.forget(TOM)
    furnished.react()
    told = [f for f in furnished.facts() if f.event.type_name == "ContactKeysDestroyed"]
    assert [fact.stream for fact in told] == [f"letters.keys-{TOM}"]
    assert furnished.keyring.is_destroyed(TOM)
    saved = [f.event for f in furnished.facts() if isinstance(f.event, RecordSaved)]
    assert [isinstance(event.fields, str) for event in saved] == [False]
    assert told[0].version == NO_STREAM + 1


def test_a_repeat_is_answered_also_when_the_form_is_withdrawn_since(
    furnished: House,
) -> None:
    request = SaveRecord(page=FORM, author_id=TOM, fields=VALUES)
    context = by(ANNA)
    first = furnished.api.save_record(request, context)
    furnished.withdraw(FORM)
    assert furnished.api.save_record(request, context) == first


def test_a_used_command_records_nothing_for_another_person(furnished: House) -> None:
    context = by(ANNA)
    for author, refused in ((TOM, False), (EDITH, True)):
        request = SaveRecord(page=FORM, author_id=author, fields=VALUES)
        with pytest.raises(Malformed) if refused else nullcontext():
            furnished.api.save_record(request, context)
    assert furnished.kinds().count("RecordSaved") == 1
