"""Refusals are known by their code; a code is given once."""

from __future__ import annotations

import re

import pytest

from shared.errors import (
    BY_CODE,
    DomainError,
    Fault,
    Malformed,
    NotAllowed,
    NotFound,
)
from shared.eventstore.port import StoreUnavailable, WrongVersion


class ThingLocked(DomainError):
    """The thing is locked.

    More about it that is not for the person who asked.
    """

    code = "test_thing_locked"


def test_every_refusal_is_found_by_its_code() -> None:
    for error in (NotFound, NotAllowed, Malformed, WrongVersion, ThingLocked):
        assert BY_CODE[error.code] is error


def test_a_refusal_speaks_in_its_own_sentence_unless_told_more() -> None:
    assert str(ThingLocked()) == "The thing is locked."
    assert str(ThingLocked("Locked since noon.")) == "Locked since noon."


def test_a_code_is_not_given_twice() -> None:
    with pytest.raises(TypeError, match="declared twice"):
        type("Other", (DomainError,), {"code": "test_thing_locked", "__doc__": "No."})


def test_a_refusal_without_a_code_of_its_own_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="declared twice"):
        type("Nameless", (ThingLocked,), {"__doc__": "No."})


def test_codes_and_statuses_fit_a_machine() -> None:
    for code, error in BY_CODE.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", code)
        assert 400 <= error.http_status < 500
        assert not issubclass(error, Fault)


def test_a_fault_is_not_a_refusal() -> None:
    assert Fault.http_status == StoreUnavailable.http_status == 503
    assert not issubclass(StoreUnavailable, DomainError)
