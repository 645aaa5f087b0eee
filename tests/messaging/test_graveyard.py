"""A message that was buried twice is listed once, whichever copy comes first."""

from __future__ import annotations

from itertools import permutations

from shared.messaging.rabbit.dead import DeadLetter
from shared.messaging.rabbit.graveyard import each_once


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
