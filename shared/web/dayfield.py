"""The three boxes of a date, made to bear whatever is posted."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from govuk_frontend_wtf import (  # type: ignore[import-untyped]
    wtforms_widgets as widgets,
)
from typing_extensions import override
from wtforms import DateField, validators  # type: ignore[import-untyped]

DAY_SHAPE: Final = re.compile(r"([0-9]{1,2}) ([0-9]{1,2}) ([0-9]{4})")


class DayField(DateField):  # type: ignore[misc]  # WTForms is untyped
    """Three boxes, one date; all empty means none, part empty is a mistake."""

    @override
    def process_formdata(self, valuelist: list[str]) -> None:
        """Set `data`, or say what is wrong with what was typed."""
        self.data = None
        typed = " ".join(value.strip() for value in valuelist)
        if not typed.strip():
            return
        shape = DAY_SHAPE.fullmatch(typed)
        day, month, year = map(int, shape.groups()) if shape else (0, 0, 0)
        try:
            self.data = date(year, month, day)
        except ValueError:
            raise ValueError("Enter a real date, for example 27 3 1980") from None


class DayPresent:
    """Refuse an empty date; leave a mistaken one to its own message."""

    def __init__(self, message: str) -> None:
        """Say `message` when nothing was typed."""
        self._message = message

    def __call__(self, form: object, field: DayField) -> None:
        """Stop with the message if there is neither a date nor a mistake."""
        del form
        if field.data is None and not field.process_errors:
            raise validators.StopValidation(self._message)


class DayInput(widgets.GovDateInput):  # type: ignore[misc]  # untyped library
    """Draws whatever was posted, also fewer or more than three values."""

    @override
    def map_gov_params(self, field: DayField, **kwargs: object) -> object:
        """Return the parameters of the GOV.UK macro."""
        if field.raw_data is not None:
            field.raw_data = [*field.raw_data, "", "", ""][:3]
        return super().map_gov_params(field, **kwargs)
