"""A record: one request on a form, and the three people it may belong to.

The values themselves are no part of the state: they are opened when they are needed
and forgotten again, so an erasure finds none of them here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.letters.commands import SaveRecord
from services.letters.errors import RecordInvalid, RecordNotTheirs, RecordUnknown
from services.letters.events import RecordSaved
from services.letters.model.form import Fields, typed_values
from services.letters.model.text import PERSON
from services.letters.model.values import QUOTATION, shown
from shared.events import Event, Sealed

SUMMED_UP: Final = 2  # values in a summary
SUMMARY: Final = 160  # characters
IN_SUMMARIES: Final = frozenset({"choice", "date", "money", "number", "text"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the rules need to remember of a record."""

    page: str = ""
    author_id: str = ""
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One state of a record, opened."""

    key: str
    page: str
    author_id: str
    subject_id: str | None
    assignee_id: str | None
    revision: int
    values: Mapping[str, str]

    def belongs_to(self, contact_id: str | None) -> bool:
        """Say whether the contact is author, subject or assignee."""
        owners = {self.author_id, self.subject_id, self.assignee_id} - {None, ""}
        return contact_id in owners

    def quotes_for(self, contact_id: str | None) -> bool:
        """Say whether the contact may see free text: author and assignee may."""
        return contact_id in {self.author_id, self.assignee_id} - {None, ""}


def save(record: Record, key: str, request: SaveRecord, fields: Fields) -> list[Event]:
    """Record a request, or the next state of one.

    Raises:
        RecordInvalid: names every fault; the page or the author of a record is not
            changed, because its values are theirs.
    """
    people = (request.author_id, request.subject_id, request.assignee_id)
    if not all(PERSON.fullmatch(p) for p in people if p is not None):
        message = "Author, subject and assignee are contacts of ours."
        raise RecordInvalid(message)
    if record.revision and record.page != request.page:
        message = "A record stays on its form."
        raise RecordInvalid(message)
    if record.revision and record.author_id != request.author_id:
        message = "A record keeps its author; record a new request for another person."
        raise RecordInvalid(message)
    kept = typed_values(fields, request.fields)
    return [
        RecordSaved(
            record=key,
            page=request.page,
            contact_id=request.author_id,
            subject_id=request.subject_id,
            assignee_id=request.assignee_id,
            fields=json.dumps(kept, ensure_ascii=False),
            revision=record.revision + 1,
        )
    ]


def evolve(record: Record, event: Event) -> Record:
    """Apply one fact. Total: a fact this version does not know changes nothing."""
    match event:
        case RecordSaved():
            return Record(
                page=event.page, author_id=event.contact_id, revision=event.revision
            )
        case _:
            return record


def opened(event: RecordSaved) -> Saved:
    """Return the state that a fact wrote.

    Raises:
        RecordUnknown: its values were erased with their author.
    """
    if isinstance(event.fields, Sealed):
        raise RecordUnknown
    return Saved(
        key=event.record,
        page=event.page,
        author_id=event.contact_id,
        subject_id=event.subject_id,
        assignee_id=event.assignee_id,
        revision=event.revision,
        values=json.loads(event.fields),
    )


def refuse_stranger(saved: Saved, contact_id: str | None) -> None:
    """Stop hard where a record would be shown to somebody it is not of (N5).

    Raises:
        RecordNotTheirs: the contact is none of author, subject and assignee.
    """
    if not saved.belongs_to(contact_id):
        raise RecordNotTheirs


def summary(title: str, fields: Fields, saved: Saved) -> str:
    """Return one line for staff, e.g. `Complaint: Bill, received on 3 November 2026`.

    Of the form's title and the first two typed values that are no address; never of
    a quotation.
    """
    parts = []
    for field in fields:
        value = saved.values.get(field.name)
        if value is not None and field.type in IN_SUMMARIES:
            text = shown(field.type, value)
            if field.type not in {"choice", "text"}:
                text = f"{field.label[:1].lower()}{field.label[1:]} {text}"
            parts.append(text)
    told = ", ".join(parts[:SUMMED_UP])
    return (f"{title}: {told}" if told else title)[:SUMMARY]


def lines_for(
    fields: Fields, saved: Saved, *, quotes: bool
) -> tuple[tuple[str, str], ...]:
    """Return (label, value) in the form's order; without quotations unless `quotes`."""
    return tuple(
        (field.label, shown(field.type, saved.values[field.name]))
        for field in fields
        if field.name in saved.values and (quotes or field.type != QUOTATION)
    )
