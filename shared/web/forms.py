"""Forms: WTForms fields drawn by GOV.UK widgets; with `dayfield` their one door.

A form class lists its fields; `PageForm.read()` binds the posted values and refuses
fields that were not asked for or came twice. What cannot be accepted is answered by
`again()`: a redirect to the form's GET page, where `read()` finds it (see `drafts`).
Tokens are the guard's business (`csrf_field()` in the template), not the form's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, Protocol, Self, TypeVar

from flask import request
from govuk_frontend_wtf import main as govuk  # type: ignore[import-untyped]
from govuk_frontend_wtf import (
    wtforms_widgets as widgets,
)
from werkzeug import Response
from werkzeug.datastructures import MultiDict
from wtforms import (  # type: ignore[import-untyped]
    BooleanField,
    Form,
    RadioField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    validators,
)

from shared.errors import Malformed
from shared.web.dayfield import DayField, DayInput, DayPresent
from shared.web.drafts import Draft, kept_draft, show_again
from shared.web.security import FIELD

T_co = TypeVar("T_co", covariant=True)
Choices = Sequence[tuple[str, str]]  # value sent, words shown
LONGEST: Final = 200


class Field(Protocol[T_co]):
    """One field of a form: its value, and what is wrong with it."""

    @property
    def data(self) -> T_co:
        """Return the value typed or chosen."""
        ...

    @property
    def errors(self) -> Sequence[str]:
        """Return sentences saying what is wrong; empty when nothing is."""
        ...

    @property
    def id(self) -> str:
        """Return the id of the input, for links from the error summary."""
        ...


class PageForm(Form):  # type: ignore[misc]  # WTForms is untyped
    """Base of every form; its fields are made by the functions below."""

    @classmethod
    def read(cls, **initial: object) -> Self:
        """Return the form of this request: posted values, kept or `initial` ones.

        Raises:
            Malformed: a field is unknown, or a single-valued one came more than once.
        """
        if request.method != "POST":
            draft = kept_draft()
            form = cls(MultiDict(draft.values) or None, data=initial)
            for name in draft.errors.keys() & form._fields.keys():
                form._fields[name].errors = draft.errors[name]
            return form
        form = cls(request.form, data=initial)
        many = {name for name, field in form._fields.items() if _takes_many(field)}
        for name, values in request.form.lists():
            if name == FIELD:
                continue
            if name not in form._fields:
                raise Malformed("A field was sent that this form does not have.")
            if len(values) > 1 and name not in many:
                raise Malformed("A field was sent more than once.")
        return form

    def accepted(self) -> bool:
        """Say whether this is a POST and every field is in order."""
        return request.method == "POST" and bool(self.validate())

    def posted(self) -> bool:
        """Say whether the form was sent by this request, not just asked for."""
        return bool(request.method == "POST")

    def again(self, place: str = "") -> Response:
        """Answer this POST by the GET page that shows what was typed and what is wrong.

        Passwords are not kept. `place` is that page, the path posted to by default.
        """
        values = [
            (name, value)
            for name, value in request.form.items(multi=True)
            if name in self._fields and not _is_secret(self._fields[name])
        ]
        errors = {name: list(map(str, told)) for name, told in self.errors.items()}
        return show_again(Draft(values=values, errors=errors), place)

    def blame(self, name: str, sentence: str) -> None:
        """Add an error found by the business to field `name`."""
        field = self._fields[name]
        field.errors = [*field.errors, sentence]

    @property
    def summary(self) -> Sequence[dict[str, str]]:
        """Return text and link of each error, for the error summary."""
        listed: Sequence[dict[str, str]] = govuk.wtforms_errors(self)["errorList"]
        return listed


def text(
    label: str,
    *,
    hint: str = "",
    required: str = "",
    longest: int = LONGEST,
    pattern: str = "",
    wrong: str = "Use the form shown in the hint",
) -> Field[str]:
    """Make a one-line field; `required` is the sentence shown when it is empty."""
    checks = [*_presence(required), _at_most(longest)]
    if pattern:
        checks.append(validators.Regexp(rf"^(?:{pattern})\Z", message=wrong))
    field: Field[str] = StringField(
        label,
        checks,
        filters=[_trimmed],
        description=hint,
        widget=widgets.GovTextInput(),
    )
    return field


def area(
    label: str, *, hint: str = "", required: str = "", longest: int = 20_000
) -> Field[str]:
    """Make a field of several lines, e.g. the wiki text of a letter."""
    checks = [*_presence(required), _at_most(longest)]
    field: Field[str] = TextAreaField(
        label, checks, description=hint, widget=widgets.GovTextArea()
    )
    return field


def password(label: str, *, hint: str = "", required: str = "") -> Field[str]:
    """Make a password field: paste allowed, never filled in again, never trimmed."""
    field: Field[str] = StringField(
        label, _presence(required), description=hint, widget=widgets.GovPasswordInput()
    )
    return field


def select(
    label: str, choices: Choices, *, hint: str = "", required: str = ""
) -> Field[str]:
    """Make a drop-down list."""
    field: Field[str] = SelectField(
        label,
        _presence(required),
        choices=_options(choices),
        description=hint,
        widget=widgets.GovSelect(),
    )
    return field


def radios(
    label: str, choices: Choices, *, hint: str = "", required: str = ""
) -> Field[str]:
    """Make radio buttons: one of a few."""
    field: Field[str] = RadioField(
        label,
        _presence(required),
        choices=_options(choices),
        description=hint,
        widget=widgets.GovRadioInput(),
    )
    return field


def boxes(
    label: str, choices: Choices, *, hint: str = "", required: str = ""
) -> Field[list[str]]:
    """Make check boxes: any number of a few."""
    field: Field[list[str]] = SelectMultipleField(
        label,
        _presence(required),
        choices=_options(choices),
        description=hint,
        widget=widgets.GovCheckboxesInput(),
    )
    return field


def tick(label: str, *, hint: str = "", required: str = "") -> Field[bool]:
    """Make one check box."""
    field: Field[bool] = BooleanField(
        label,
        _presence(required),
        description=hint,
        widget=widgets.GovCheckboxInput(),
    )
    return field


def day(label: str, *, hint: str = "", required: str = "") -> Field[date | None]:
    """Make day, month and year boxes."""
    field: Field[date | None] = DayField(
        label,
        [DayPresent(required)] if required else [],
        format="%d %m %Y",
        description=hint,
        widget=DayInput(),
    )
    return field


def _presence(required: str) -> list[object]:
    if required:
        return [validators.InputRequired(message=required)]
    return [validators.Optional()]


def _at_most(longest: int) -> object:
    told = f"Use at most {longest} characters"
    return validators.Length(max=longest, message=told)


def _options(choices: Choices) -> list[SelectChoice]:
    return [SelectChoice(value, label) for value, label in choices]


def _trimmed(value: str | None) -> str:
    return (value or "").strip()


def _is_secret(field: Field[object]) -> bool:
    return isinstance(getattr(field, "widget", None), widgets.GovPasswordInput)


def _takes_many(field: object) -> bool:
    return isinstance(field, SelectMultipleField | DayField)
