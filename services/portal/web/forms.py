"""What the portal's forms have in common: the id of the command they will cause."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from flask import request
from markupsafe import Markup
from wtforms import HiddenField  # type: ignore[import-untyped]  # ships no types

from services.portal.web import positions
from shared.errors import Malformed
from shared.ids import mint
from shared.web.forms import Field, PageForm

TIME_ORDERED: Final = 7  # version of UUID
NAME: Final = "command_id"


def hidden() -> Field[str]:
    """Make a field that is sent and not shown."""
    field: Field[str] = HiddenField()
    return field


class ActForm(PageForm):
    """A form that changes something; pressing twice does it once."""

    command_id = hidden()

    def command(self) -> UUID:
        """Return the id minted when the form was rendered: the idempotency key.

        Raises:
            Malformed: it is missing or not a UUIDv7.
        """
        try:
            found = UUID(self.command_id.data or "")
        except ValueError:
            raise Malformed("The form lacks its command id.") from None
        if found.version != TIME_ORDERED or str(found) != self.command_id.data:
            raise Malformed("The form's command id is not of ours.")
        return found

    def fill(self, name: str, value: str) -> None:
        """Put a value into a field, as if it had been typed."""
        self._fields[name].data = value

    def settle(self, name: str) -> None:
        """Forget what was wrong with a field: it has been put right elsewhere."""
        self._fields[name].errors = []


def command_field(known: UUID | None = None) -> Markup:
    """Return the hidden field with a fresh command id, or with `known` carried on."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(
        NAME, known or mint()
    )


def position(name: str = positions.NAME) -> int:
    """Return the position in the query, 0 if there is none or it is no number.

    One to wait for counts only if somebody was sent there (`positions`).
    """
    found = positions.number(request.args.get(name, ""))
    return positions.waited_for(found) if name == positions.NAME else found
