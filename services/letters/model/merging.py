"""What a letter may show: its placeholders, their values, the page that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from services.letters.commands import Merge
from services.letters.errors import (
    DataMissing,
    LetterInvalid,
    RecordMissing,
    RecordNotFitting,
    RecordNotTheirs,
)
from services.letters.model.form import RESERVED, Fields
from services.letters.model.page import FORM, Revision
from services.letters.model.record import Saved, lines_for, refuse_stranger
from services.letters.model.text import in_words
from services.letters.model.values import QUOTATION, shown
from shared.markup import escaped, linked_braces, merge, names_in, to_html

PERSONAL: Final = ("salutation", "formal_name", "sender_name", "organisation", "today")
REQUEST: Final = "request."
SALUTATION: Final = "salutation"
SAMPLES: Final = {
    "salutation": "Dear Ms Sam Sample",
    "formal_name": "Ms Sam Sample",
    "sender_name": "Mr Alex Example",
    "organisation": "Our organisation",
    "request.number": "100000-123456",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a revision is merged with."""

    merge: Merge
    contact_id: str | None
    today: datetime
    record: Saved | None = None
    # name -> type of every field that the record's form has or had
    types: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The safe fragment, and the placeholders that had no value."""

    html: str
    gaps: tuple[str, ...]


def refuse_unfinished(revision: Revision, fields: Fields | None) -> None:
    """Refuse to submit what could not be sent.

    `fields` are those of the form whose records it shows, None if there is no such
    form.

    Raises:
        LetterInvalid: names every fault.
    """
    html = _html_of(revision.body)
    used = names_in(html)
    known = set(PERSONAL)
    if fields is not None:
        known |= {f"{REQUEST}{name}" for name in (RESERVED, *(f.name for f in fields))}
    faults = [
        f"{{{{{name}}}}} is not a placeholder of this page."
        for name in used
        if name not in known
    ]
    if linked_braces(html):
        faults.append("The address of a link cannot hold a placeholder.")
    if revision.answers is not None and fields is None:
        faults.append(f"Page {revision.answers} is not a form it could answer.")
    if revision.page_type == FORM and not revision.form:
        faults.append("A form needs at least one field.")
    if revision.page_type != FORM and SALUTATION not in used:
        faults.append(
            "Begin the letter with {{salutation}}: it is written to a person."
        )
    if faults:
        raise LetterInvalid(" ".join(faults))


def needs_record(revision: Revision) -> bool:
    """Say whether the revision can be sent with a record only."""
    return revision.page_type == FORM or any(
        name.startswith(REQUEST) for name in names_in(_html_of(revision.body))
    )


def refuse_unfit(
    revision: Revision, record: Saved | None, contact_id: str | None
) -> None:
    """Refuse a record that is not the contact's, or not of the form; or a lacking one.

    Raises:
        RecordNotTheirs, RecordNotFitting, RecordMissing.
    """
    if record is not None:
        refuse_stranger(record, contact_id)
        form = revision.page if revision.page_type == FORM else revision.answers
        if record.page != form:
            raise RecordNotFitting
    elif needs_record(revision):
        raise RecordMissing


def merged(revision: Revision, shown_with: Shown) -> Merged:
    """Return the revision as the contact would read it, every gap named and marked.

    A form is its salutation, its text, then the request as a table. Quotations are
    shown to author and assignee only: a form leaves them out for the subject.

    Raises:
        RecordNotTheirs: the record is not theirs, or a letter would quote another
            person to them.
    """
    record = shown_with.record
    if record is not None:
        refuse_stranger(record, shown_with.contact_id)
    body = _html_of(revision.body)
    used = names_in(body)
    values = _values(shown_with)
    if revision.page_type == FORM and SALUTATION not in used:
        body = "<p>{{" + SALUTATION + "}}</p>\n" + body
    if record is not None and not record.quotes_for(shown_with.contact_id):
        quoted = {
            f"{REQUEST}{name}"
            for name, type_ in shown_with.types.items()
            if type_ == QUOTATION
        }
        if quoted.intersection(used):
            message = (
                "This letter quotes its author, and this contact is another person."
            )
            raise RecordNotTheirs(message)
    html, gaps = merge(body, values, mark_gaps=True)
    if revision.page_type == FORM and record is not None:
        html += _table(revision.form, record, shown_with.contact_id)
    return Merged(html=html, gaps=gaps)


def sample(body: str) -> Merged:
    """Return unsaved text with marked sample values and marked gaps.

    Raises:
        MarkupTooLarge: the text is longer than a letter may be.
    """
    samples = {**SAMPLES, "today": in_words(datetime(2026, 11, 25))}  # noqa: DTZ001  # a day
    html, gaps = merge(to_html(body), samples, mark_gaps=True, mark_values=True)
    return Merged(html=html, gaps=gaps)


def refuse_gaps(gaps: tuple[str, ...]) -> None:
    """Refuse to send a letter with gaps. Raises DataMissing: names them."""
    if gaps:
        names = ", ".join(gaps)
        message = f"The letter needs a detail that is not on file: {names}."
        raise DataMissing(message)


@lru_cache(maxsize=64)  # a sending looks at its page's text six times
def _html_of(body: str) -> str:
    return to_html(body)


def _values(shown_with: Shown) -> dict[str, str]:
    people = shown_with.merge
    values = {
        "salutation": people.salutation,
        "formal_name": people.formal_name,
        "sender_name": people.sender_name,
        "organisation": people.organisation,
        "today": in_words(shown_with.today),
    }
    record = shown_with.record
    if record is not None:
        values[f"{REQUEST}{RESERVED}"] = record.key
        for name, value in record.values.items():
            type_ = shown_with.types.get(name)
            if type_ is not None:
                values[f"{REQUEST}{name}"] = shown(type_, value)
    return {name: value for name, value in values.items() if value.strip()}


def _table(fields: Fields, record: Saved, contact_id: str | None) -> str:
    quotes = record.quotes_for(contact_id)
    rows = (("Request number", record.key), *lines_for(fields, record, quotes=quotes))
    cells = "".join(
        f'<tr><th scope="row">{escaped(label)}</th><td>{escaped(value)}</td></tr>\n'
        for label, value in rows
    )
    return f"<table>\n<tbody>\n{cells}</tbody>\n</table>\n"
