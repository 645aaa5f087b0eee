"""Dead letters are listed once each and in plain words, whatever stands in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import pytest

from shared.messaging.rabbit.dead import DeadLetter, burial_of, seen
from shared.messaging.rabbit.graveyard import each_once
from shared.messaging.rabbit.tally import EVERY, Tally


def a_letter(digest: str, *, again: bool = False) -> tuple[DeadLetter, bool]:
    letter = DeadLetter(
        cause="form:json",
        queue="ask.crm",
        route="crm.create",
        digest=digest,
        size=9,
        again=again,
        headers={"id": "1"},
    )
    return letter, False


def test_a_second_burial_is_left_out_in_every_order() -> None:
    first, second, other = a_letter("a"), a_letter("a", again=True), a_letter("b")
    for order in permutations([first, second, other]):
        kept = each_once(order)
        assert sorted(letter.digest for letter, _ in kept) == ["a", "b"]
        assert not any(letter.again for letter, _ in kept)


def test_of_second_burials_alone_one_stays() -> None:
    assert len(each_once([a_letter("a", again=True)] * 2)) == 1


def test_equal_messages_that_were_each_buried_once_are_all_listed() -> None:
    assert len(each_once([a_letter("a"), a_letter("a")])) == 2


@dataclass
class Came:
    """A message as kombu hands it over."""

    headers: dict[Any, Any]
    body: bytes = b"Zaphira"
    content_type: Any = None
    properties: dict[str, Any] = field(default_factory=dict)
    delivery_info: dict[str, Any] = field(default_factory=dict)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-death": []},
        {"x-death": "Zaphira"},
        {"x-death": ["Zaphira"]},
        {"x-death": [[]]},
        {"x-death": [{"reason": b"Zaphira", "queue": [], "routing-keys": "Zaphira"}]},
        {"x-death": [{"reason": "\x1b[2J", "routing-keys": [7]}]},
        {"x-cause": "Ms Zaphira Quill", "x-queue": None, "x-route": {"Zaphira": 1}},
        {"x-body-bytes": "Zaphira", "x-body-sha256": "Zaphira", "x-again": "Zaphira"},
        {"x-body-bytes": -1, "x-body-sha256": b"\xff"},
        {"id": "\ud800", "caller": "Ms Zaphira", "v": 2**64, "expires": True},
        {b"\xff": 1, 7: "Zaphira"},
    ],
)
def test_a_letter_of_a_stranger_is_told_in_plain_words(headers: dict[Any, Any]) -> None:
    for letter in (
        seen(Came(headers)),
        seen(Came(dict(burial_of(Came(headers), "q", "forged").properties["headers"]))),
    ):
        told = repr(letter)
        assert "Zaphira" not in told
        assert told.isascii()
        assert letter.size == len(b"Zaphira")
        assert letter.cause in {"unreadable", "broker:unknown", "forged"}


def test_a_stranger_fills_no_log_and_every_time_is_counted() -> None:
    lines: list[tuple[str, int]] = []
    at = [0.0]
    tally = Tally(lambda kind, count: lines.append((kind, count)), lambda: at[0])
    for moment in range(1000):
        at[0] = moment * EVERY / 100
        tally.note("forged")
        if moment == 1:
            tally.note("late")
    assert len(lines) == 1 + 1 + 9
    tally.look(last=True)
    assert sum(count for kind, count in lines if kind == "forged") == 1000
    assert lines[:2] == [("forged", 1), ("late", 1)]
