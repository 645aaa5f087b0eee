"""Rows of the message lists as they are shown. Their state is worked out when asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_type_hints

import msgspec
from msgspec.structs import astuple
from sqlalchemy import Column, ColumnElement, and_, bindparam, case, select

from services.envelope.api import MessageRow
from services.envelope.model.words import reference_of
from services.envelope.tables import MESSAGES, UNCONFIRMED
from shared.crypto.keyring import Keyring

_C: Final = MESSAGES.c
_OVER: Final = bindparam("now") >= _C.expires_at
_VIEWED: Final = _C.viewed_at.is_not(None)
_FAILED: Final = and_(_C.failure.is_not(None), _C.viewed_at.is_(None))
_RENEWED: Final = and_(_C.generation > 1, _C.fetched_generation < _C.generation)
STATUS: Final = case(
    (_C.erased, "erased"),
    (_C.cancelled, "cancelled"),
    (_C.disabled, "disabled"),
    (and_(_FAILED, _C.failure == UNCONFIRMED), UNCONFIRMED),
    (_FAILED, "not_delivered"),
    (and_(_OVER, _VIEWED), "expired"),
    (_OVER, "lapsed_unread"),
    (_RENEWED, "renewed"),
    (_VIEWED, "viewed"),
    (_C.fetched_at.is_not(None), "link_opened"),
    (_C.relayed_at.is_not(None), "sent"),
    else_="accepted",
)
"""The one word for a message at `now`: what ended it, else how far it came."""


def _time(column: Column[Any]) -> ColumnElement[Any]:
    """Return an instant in seconds, as msgspec takes it; exact until the year 2106."""
    return (column / 1e6).label(column.name)


SHOWN: Final = (
    _C.envelope_id,
    _C.contact_id,
    _C.personal,
    _C.kind,
    _C.page,
    _C.revision,
    _C.sender_id,
    STATUS.label("status"),
    _time(_C.accepted_at),
    _time(_C.relayed_at),
    _time(_C.fetched_at),
    _time(_C.viewed_at),
    _C.viewed_grade,
    _C.viewed_means,
    _time(_C.expires_at),
    _C.position,
)
"""The columns of one line, for `Opening.lines`; they need `now` in microseconds."""

PAGE: Final = select(*SHOWN).order_by(_C.position.desc()).limit(bindparam("limit"))


class Personal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sealed of one message; nothing of an erased contact."""

    title: str = ""
    record: str = ""
    formal_name: str = ""
    sender_name: str = ""


_NOTHING: Final = Personal()
_NAMES: Final = (
    *(str(column.name) for column in SHOWN),
    *Personal.__struct_fields__,
    "reference",
)
_HINTS: Final = {**get_type_hints(MessageRow), "personal": bytes | None}
_LINE: Final[Any] = msgspec.defstruct(
    "Line", [(name, _HINTS[name]) for name in _NAMES], array_like=True
)
"""A `MessageRow` as columns in this order: its times are read from seconds."""

_personal: Final = msgspec.json.Decoder(Personal).decode


class Opening:
    """Opens what is sealed in rows; of erased contacts nothing is shown."""

    def __init__(self, keyring: Keyring) -> None:
        """Open with `keyring`."""
        self._keyring = keyring

    def personal(self, rows: Sequence[tuple[Any, ...]]) -> list[Personal]:
        """Return what is sealed of each row, whose first columns are as in `SHOWN`."""
        sealed = [(row[1], row[0], row[2]) for row in rows if row[2] is not None]
        opened = iter(self._keyring.unseal_column(MESSAGES.name, "personal", sealed))
        plain = [None if row[2] is None else next(opened) for row in rows]
        return [_NOTHING if each is None else _personal(each) for each in plain]

    def lines(self, rows: Sequence[tuple[Any, ...]]) -> tuple[MessageRow, ...]:
        """Return rows of `SHOWN` as they are shown."""
        lines = [
            (*row, *astuple(personal), reference_of(row[0]))
            for row, personal in zip(rows, self.personal(rows), strict=True)
        ]
        read = msgspec.convert(lines, list[_LINE], strict=False)
        return msgspec.convert(read, tuple[MessageRow, ...], from_attributes=True)
