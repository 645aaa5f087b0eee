"""What the trail takes from a fact, and what it never takes."""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.commands import SealIdentity
from services.audit.model import DETAILS, detail_of, person_of, told_of
from services.crm.events import CodeIssued, ContactStopped, SendPermitted
from services.envelope.events import EnvelopeExpiryChanged, EnvelopeRelayed
from services.letters.events import LetterIssued, RecordSaved
from shared.errors import Malformed
from shared.events import CATALOGUE, Event, Private
from shared.refusals import Refused
from tests.facts import ThingMade

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Event):
    """A fact that keeps private what others tell; it is in no catalogue."""

    personal: ClassVar[tuple[str, ...]] = ("means",)
    confidential: ClassVar[tuple[str, ...]] = ("kind",)
    means: Private
    kind: Private
    page: str


def test_a_refusal_tells_its_operation() -> None:
    assert detail_of(Refused(operation="send", reason="page_not_approved")) == (
        "operation=send"
    )


def test_a_date_that_was_set_is_told_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    changed = EnvelopeExpiryChanged(
        envelope_id="e1",
        contact_id="c1",
        expires_at=datetime(2000, 1, 1, 1, tzinfo=berlin),
        reason="wrong letter",
        viewed_before=True,
    )
    assert detail_of(changed) == "expires_at=2000-01-01T00:00:00Z; viewed_before=yes"


def test_tries_and_replies_are_told_in_a_fixed_order() -> None:
    relayed = EnvelopeRelayed(
        envelope_id="e1",
        contact_id="c1",
        generation=1,
        attempt=2,
        reply_code=250,
        tls=False,
    )
    assert detail_of(relayed) == "generation=1; attempt=2; reply_code=250; tls=no"
    permitted = SendPermitted(
        contact_id="c1", envelope_id="e1", purpose="service", attempt=1
    )
    assert detail_of(permitted) == "purpose=service; attempt=1"


def test_a_fact_with_nothing_more_to_say_has_no_detail() -> None:
    assert detail_of(ThingMade(thing_id="t1")) is None


def test_page_and_revision_are_taken_from_whatever_fact_has_them() -> None:
    issued = LetterIssued(
        page="165104",
        revision=3,
        letter_hash="a" * 64,
        contact_id="c1",
        envelope_id="e1",
        record_revision=2,
    )
    assert told_of(issued) == (None, "165104", 3, "a" * 64, None)
    assert detail_of(issued) == "record_revision=2"


def test_a_private_field_is_never_taken_even_where_it_is_readable() -> None:
    kept = Kept(means="post", page="165104", kind="note")
    assert told_of(kept) == (None, "165104", None, None, None)
    assert detail_of(kept) is None


@pytest.mark.parametrize("name", ["fields", "record", "title", "browser", "link_hash"])
def test_what_could_name_a_person_or_open_a_door_is_no_detail(name: str) -> None:
    assert name not in DETAILS


def test_no_detail_is_private_in_any_fact_of_the_product() -> None:
    for cls in CATALOGUE.values():
        private = {*cls.personal, *cls.confidential}
        taken = private.intersection(DETAILS)
        assert not taken, f"{cls.type_name} calls {taken} private"


@given(stop=st.text(max_size=80))
def test_only_what_looks_like_a_code_is_taken(stop: str) -> None:
    detail = detail_of(
        ContactStopped(contact_id="c1", stop=stop, door="link", wording="v1")
    )
    allowed = set(string.ascii_letters + string.digits + "_.:/-")
    if 1 <= len(stop) <= 64 and set(stop) <= allowed:
        assert detail == f"stop={stop}; door=link; wording=v1"
    else:
        assert detail == "door=link; wording=v1"


def test_sentences_and_addresses_are_not_codes() -> None:
    saved = RecordSaved(
        record="165100-204817",
        page="tom@people.example",
        contact_id="c1",
        subject_id=None,
        assignee_id=None,
        fields="{}",
        revision=1,
    )
    assert told_of(saved)[:3] == (None, None, 1)
    issued = CodeIssued(
        contact_id="c1",
        envelope_id="e1",
        code_id="k 1",
        browser="b" * 64,
        expires_at=NOON,
    )
    assert detail_of(issued) == "expires_at=2026-03-02T12:00:00Z"


def test_a_person_is_written_in_one_canonical_form() -> None:
    composed, decomposed = (
        person_of(
            SealIdentity(
                contact_id="c1",
                envelope_id="e1",
                formal_name=name,
                email="i@people.example",
            )
        )
        for name in ("Dr In\u00e9s", "Dr Ine\u0301s")
    )
    assert composed == decomposed
    assert (
        composed.decode() == '{"email":"i@people.example","formal_name":"Dr In\u00e9s"}'
    )
    assert json.loads(composed)["formal_name"] == "Dr In\u00e9s"


@pytest.mark.parametrize(
    ("contact_id", "envelope_id", "name"),
    [("", "e1", "Mr A B"), ("c1", "", "Mr A B"), ("c1", "e1", " "), ("a b", "e1", "A")],
)
def test_an_identity_without_person_or_place_is_refused(
    contact_id: str, envelope_id: str, name: str
) -> None:
    request = SealIdentity(
        contact_id=contact_id, envelope_id=envelope_id, formal_name=name, email=""
    )
    with pytest.raises(Malformed):
        person_of(request)
