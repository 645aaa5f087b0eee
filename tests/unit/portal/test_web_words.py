"""What pages say: timelines, comparisons, grades. Pure, so tested as such."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

import services.audit.events
import services.crm.events
import services.envelope.events
import services.letters.events
import services.portal.events  # noqa: F401  # all catalogues are filled by import
from services.audit.api import TrailLine
from services.crm.api import ContactRow
from services.portal.web.contacts import alike
from services.portal.web.differences import compare
from services.portal.web.evidence import _cell
from services.portal.web.history import entries, title, who
from services.portal.web.presses import Presses
from services.portal.web.words import EVENTS, FAILURES, grade, initial, until
from shared.events import CATALOGUE
from shared.ids import mint

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANNA = "a" * 32
NAMES = {ANNA: "Ms Anna Ferris"}


def line(event: str, minute: int = 0, **more: object) -> TrailLine:
    known: dict[str, object] = {
        "position": minute + 1, "event_id": "", "event": event, "schema": 1,
        "etsi": None, "at": NOON + timedelta(minutes=minute), "contact": None,
        "envelope": None, "actor": "envelope", "actor_kind": "service",
        "role": "service", "reason": None, "grade": None, "means": None, "page": None,
        "revision": None, "letter_hash": None, "rendition": None, "digest": "",
        "contact_seq": None, "detail": None,
    }  # fmt: skip
    return TrailLine(**{**known, **more})  # type: ignore[arg-type]


def test_every_event_there_is_has_plain_words() -> None:
    known = {
        n
        for n, c in CATALOGUE.items()
        if c.__module__.startswith(("services.", "shared.refusals"))
    }
    assert not known - set(EVENTS)


def test_fetches_in_a_row_fold_and_never_count_as_a_view() -> None:
    made = entries(
        [
            line(
                "EnvelopeSent",
                0,
                actor=ANNA,
                actor_kind="staff",
                page="165104",
                revision=1,
            ),
            *(line("LinkFetched", n, actor_kind="recipient") for n in (1, 2, 3)),
            line(
                "EnvelopeViewed", 4, actor_kind="recipient", grade=3, means="postcode"
            ),
        ],
        NAMES,
    )
    assert [entry.title for entry in made] == [
        "Viewed: the letter was shown",
        "Link opened (may be automatic)",
        "Accepted and sealed",
    ]
    assert made[0].how == "grade 3, postcode"
    assert made[0].state == "viewed"
    assert len(made[1].automatic) == 3
    assert made[1].who == "Unknown"
    assert made[1].state == ""
    assert made[2].who == "Ms Anna Ferris"


def test_what_nobody_can_tell_is_said_in_so_many_words() -> None:
    again = line("RelayAttempted", 1, detail="generation=1; attempt=2; repeat=yes")
    first = line("RelayAttempted", 0, detail="generation=1; attempt=1; repeat=no")
    end = line("RelayUnconfirmed", 2, reason="no_reply", detail="attempt=2")
    told, repeated, begun = entries([first, again, end], NAMES)
    assert (told.title, told.state) == (
        "We can't tell whether the message arrived",
        "unconfirmed",
    )
    assert told.how == "The mail relay did not say whether it took the message."
    assert "the first one may have arrived" in repeated.how
    assert begun.how == ""
    assert "Phone the person, or send a fresh link" in FAILURES["unconfirmed"]


def test_nobody_is_guessed_at() -> None:
    assert who(line("LinkFetched", actor_kind="anonymous"), NAMES) == "Unknown"
    unlisted = line("EnvelopeSent", actor="b" * 32, actor_kind="staff")
    assert "not listed" in who(unlisted, NAMES)


def test_a_refusal_says_what_was_refused() -> None:
    refused = line("Refused", reason="record_not_theirs", detail="operation=send")
    assert title(refused) == "Refused: sending a letter"


def test_a_back_dated_expiry_reads_as_disabled_and_a_shorter_one_does_not() -> None:
    past = line(
        "EnvelopeExpiryChanged",
        detail="expires_at=2000-01-01T00:00:00Z; viewed_before=no",
    )
    later = line(
        "EnvelopeExpiryChanged",
        detail="expires_at=2026-03-04T00:00:00Z; viewed_before=yes",
    )
    disabled, shortened = entries([past], NAMES)[0], entries([later], NAMES)[0]
    assert disabled.state == "disabled"
    assert "1 January 2000" in disabled.how
    assert "had not been viewed" in disabled.how
    assert shortened.state == ""
    assert "it had been viewed" in shortened.how


def test_grades_times_and_initials_are_in_words() -> None:
    assert grade(3, "birth_date") == "grade 3, date of birth"
    assert grade(None, None) == "grade unknown"
    assert until(NOON) == "until Monday 2 March 2026, 12:00 UTC"
    assert [initial("Mr Tom Jones"), initial("")] == ["J", "?"]


def row(contact: str, name: str) -> ContactRow:
    return ContactRow(
        contact_id=contact, kind="customer", formal_name=name, masked_email="",
        postcode_area="", customer_reference="", company="", stops=(),
    )  # fmt: skip


def test_look_alikes_are_told_apart_from_namesakes_by_family_only() -> None:
    rows = [
        row("1", "Mr Tom Jones"),
        row("2", "Mr Tomas Jones"),
        row("3", "Ms Ann Jones"),
        row("4", "Amarani"),
    ]
    assert alike(rows) == {"1", "2"}


def test_a_changed_word_is_marked_and_nothing_else() -> None:
    rows = compare("a\nwithin five days\nz", "a\nwithin three days\nz")
    assert [one["kind"] for one in rows] == ["same", "changed", "same"]
    assert ("del", "five") in rows[1]["left"]
    assert ("ins", "three") in rows[1]["right"]


TEXT = st.text(alphabet="ab c\n", max_size=60)


@given(TEXT, TEXT)
def test_a_comparison_loses_no_word_of_either_side(before: str, after: str) -> None:
    rows = compare(before, after)
    for side, whole in (("left", before), ("right", after)):
        shown = "".join(text for one in rows for _mark, text in one[side])  # type: ignore[literal-required]
        assert "".join(shown.split()) == "".join(whole.split())


@given(TEXT)
def test_equal_texts_have_no_differences(text: str) -> None:
    assert all(one["kind"] == "same" for one in compare(text, text))


def test_a_table_cell_that_a_spreadsheet_would_run_is_made_plain() -> None:
    for text in ("=1+1", "+1", "-1", "@x", "\tx"):
        assert _cell(line("Refused", reason=text), "reason") == f"'{text}"
    assert _cell(line("Refused", reason="expired"), "reason") == "expired"


def test_presses_are_remembered_up_to_a_number() -> None:
    presses, ids = Presses(remembered=2), [mint() for _ in range(3)]
    for one in ids:
        presses.remember(one)
    assert [presses.known(one) for one in ids] == [False, True, True]
