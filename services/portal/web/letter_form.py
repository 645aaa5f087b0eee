"""The form of a page being written, and of the fields of a form page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from services.letters.api import PageView
from services.letters.commands import DraftPage, FormField, PreviewMarkup
from services.portal.web.forms import ActForm, hidden
from services.portal.web.words import FIELD_TYPES, KINDS
from shared.web.forms import area, radios, select, text, tick

ROWS: Final = 60  # most fields of a form page, as in the model
SPARE: Final = 3
COMMON: Final = (  # what every letter may show, and in which words it is offered
    ("salutation", "Salutation"),
    ("formal_name", "Formal name"),
    ("sender_name", "Your name, as sender"),
    ("organisation", "Organisation"),
    ("today", "Date of sending"),
)
REQUEST: Final = "request."  # how the name of a detail out of a request begins
NOT_A_NAME: Final = re.compile(r"[^a-z0-9]+")
LONGEST_NAME: Final = 30


class LetterForm(ActForm):
    """Title, text and kind of a page."""

    title = text("Title", required="Enter the title", longest=120)
    body = area("Text", required="Enter the text of the letter")
    kind = radios("What kind of message it is", list(KINDS.items()), required="Choose")
    answers = text(
        "Answers the form",
        hint="Page number of the form whose requests this letter answers, if any",
        pattern="[0-9]{6}",
        wrong="Enter the six digits of the form's page number",
    )
    page_type = hidden()
    act = hidden()  # save, submit or preview


def _row(number: int) -> dict[str, object]:
    types = [("", "No field"), *FIELD_TYPES.items()]
    return {
        f"name_{number}": hidden(),
        f"label_{number}": text("Label"),
        f"type_{number}": select("Kind", types),
        f"choices_{number}": text("Choices, separated by commas"),
        f"required_{number}": tick("Must be filled in"),
    }


def _rows() -> dict[str, object]:
    made: dict[str, object] = {}
    for number in range(ROWS):
        made |= _row(number)
    return made


class FormPageForm(LetterForm):
    """A page that is a form: its text and its fields."""

    def fields(self) -> tuple[FormField, ...]:
        """Return the fields that have a label and a kind, in order."""
        return tuple(self._fields_given())

    def rows(self) -> int:
        """Return how many rows to show: those in use and a few more."""
        used = [n for n in range(ROWS) if self._value(f"label_{n}")]
        return min(ROWS, max(used, default=-1) + 1 + SPARE)

    def _fields_given(self) -> Iterator[FormField]:
        for number in range(ROWS):
            label = self._value(f"label_{number}")
            kind = self._value(f"type_{number}")
            if label and kind:
                choices = self._value(f"choices_{number}").split(",")
                yield FormField(
                    name=self._value(f"name_{number}") or _name(label),
                    label=label,
                    type=kind,
                    choices=tuple(word.strip() for word in choices if word.strip()),
                    required=bool(self._fields[f"required_{number}"].data),
                )

    def _value(self, name: str) -> str:
        return str(self._fields[name].data or "")


for _named, _field in _rows().items():
    setattr(FormPageForm, _named, _field)


def draft(form: LetterForm, page: str | None) -> DraftPage:
    """Return the command that keeps what was written as a new revision."""
    return DraftPage(
        page=page,
        page_type="form" if isinstance(form, FormPageForm) else "letter",
        title=form.title.data,
        body=form.body.data,
        kind=form.kind.data,
        answers=form.answers.data or None,
        form=form.fields() if isinstance(form, FormPageForm) else (),
    )


def markup(form: LetterForm) -> PreviewMarkup:
    """Return the question how the text would look."""
    return PreviewMarkup(title=form.title.data or "", body=form.body.data or "")


def values(page: PageView) -> dict[str, object]:
    """Return what stands in the form at first: the newest revision."""
    newest = page.revisions[0]
    return {
        "title": newest.title,
        "body": newest.body,
        "kind": newest.kind,
        "answers": page.row.answers or "",
        "page_type": page.row.page_type,
    } | _rows_of(page.form)


def _rows_of(fields: Sequence[FormField]) -> dict[str, object]:
    made: dict[str, object] = {}
    for number, field in enumerate(fields[:ROWS]):
        made |= {
            f"name_{number}": field.name,
            f"label_{number}": field.label,
            f"type_{number}": field.type,
            f"choices_{number}": ", ".join(field.choices),
            f"required_{number}": field.required,
        }
    return made


def placeholders(answered: Sequence[FormField]) -> list[tuple[str, str]]:
    """Return the placeholders the editor offers, with their words."""
    offered = [(f"{{{{{name}}}}}", words) for name, words in COMMON]
    offered.append(("{{request.number}}", "Request number"))
    offered += [
        (f"{{{{request.{field.name}}}}}", f"Request: {field.label}")
        for field in answered
    ]
    return offered


def merged_words(name: str) -> str:
    """Return what is merged under a name, in words, without asking for the form."""
    plain = name.removeprefix(REQUEST).replace("_", " ")
    return dict(COMMON).get(name) or f"Request: {plain}"


def _name(label: str) -> str:
    made = NOT_A_NAME.sub("_", label.casefold()).strip("_")[:LONGEST_NAME]
    return made if made[:1].isalpha() else f"field_{made}".strip("_")
