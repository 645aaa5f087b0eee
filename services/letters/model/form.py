"""What a form is: its fields, as they are checked, kept and compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from services.letters.commands import FormField
from services.letters.errors import LetterInvalid, RecordInvalid
from services.letters.model.text import line
from services.letters.model.values import TYPES, checked

MOST_FIELDS: Final = 60
MOST_CHOICES: Final = 50
RESERVED: Final = "number"  # {{request.number}} is the key of the record
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_LABEL: Final = range(1, 121)
_CHOICE: Final = range(1, 101)

Fields = tuple[FormField, ...]


def well_formed(fields: Iterable[FormField]) -> Fields:
    """Return the fields, their words trimmed and NFC.

    Raises:
        LetterInvalid: names the first field that is not fit, or says that there are
            more than 60.
    """
    kept = tuple(_field(field) for field in fields)
    if len(kept) > MOST_FIELDS:
        message = f"A form has at most {MOST_FIELDS} fields."
        raise LetterInvalid(message)
    names = [field.name for field in kept]
    if len(set(names)) != len(names):
        message = "Two fields of the form have the same name."
        raise LetterInvalid(message)
    return kept


def to_json(fields: Fields) -> str:
    """Return the fields as they are kept: a JSON list; "" for a letter."""
    return json.dumps(plain(fields), ensure_ascii=False) if fields else ""


def from_json(text: str) -> Fields:
    """Return what `to_json` wrote."""
    return tuple(
        FormField(**{**item, "choices": tuple(item["choices"])})
        for item in (json.loads(text) if text else ())
    )


def plain(fields: Fields) -> list[dict[str, Any]]:
    """Return the fields as plain data, always in the same form."""
    return [
        {
            "name": field.name,
            "label": field.label,
            "type": field.type,
            "choices": list(field.choices),
            "required": field.required,
        }
        for field in fields
    ]


def retyped(fields: Fields, types: Mapping[str, str]) -> tuple[str, ...]:
    """Return the fields that had another type before: a quotation stays one."""
    return tuple(f.name for f in fields if types.get(f.name, f.type) != f.type)


def typed_values(fields: Fields, values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a record as they are kept, in the form's order.

    Raises:
        RecordInvalid: names every field that is unknown, missing or not of its type.
    """
    known = {field.name for field in fields}
    faults = [f"There is no field {_safe(n)}." for n in values if n not in known]
    kept: dict[str, str] = {}
    for field in fields:
        value = values.get(field.name, "")
        if not value.strip():
            if field.required:
                faults.append(f"{field.label} is missing.")
            continue
        fit = checked(field, value)
        if fit is None:
            faults.append(f"{field.label} is not a {_WORDS[field.type]}.")
        else:
            kept[field.name] = fit
    if faults:
        raise RecordInvalid(" ".join(faults))
    return kept


_WORDS: Final = {
    "text": "short text of letters, digits and the marks of a name",
    "choice": "choice this form offers",
    "date": "date such as 2026-11-25",
    "money": "sum such as 48.20",
    "address": "postal address of at most ten lines",
    "number": "number such as 12 or 12.5",
    "quotation": "text of at most 10,000 characters",
}


def _field(field: FormField) -> FormField:
    if not _NAME.fullmatch(field.name) or field.name == RESERVED:
        message = (
            f"{_safe(field.name)} cannot be the name of a field: use lower-case "
            f"letters, digits and underscores, and not {RESERVED!r}."
        )
        raise LetterInvalid(message)
    label = line(field.label, _LABEL)
    if label is None:
        message = f"Field {field.name} needs a label of one line."
        raise LetterInvalid(message)
    if field.type not in TYPES:
        message = f"Field {field.name} has no type that a form knows."
        raise LetterInvalid(message)
    choices = _choices(field)
    return FormField(
        name=field.name,
        label=label,
        type=field.type,
        choices=choices,
        required=field.required,
    )


def _choices(field: FormField) -> tuple[str, ...]:
    offered: Sequence[str | None] = [line(c, _CHOICE) for c in field.choices]
    kept = tuple(choice for choice in offered if choice is not None)
    fit = (
        len(kept) == len(offered) == len(set(kept))
        and len(kept) <= MOST_CHOICES
        and bool(kept) == (field.type == "choice")
    )
    if not fit:
        message = f"The choices of field {field.name} are not fit."
        raise LetterInvalid(message)
    return kept


def _safe(name: str) -> str:
    """Return a name fit to be repeated in an error text."""
    return repr(name) if _NAME.fullmatch(name) else "with that name"
