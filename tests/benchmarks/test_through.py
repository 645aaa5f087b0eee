"""What the rows through RabbitMQ are made of, without a broker; no timing."""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import replace
from uuid import UUID

import pytest
from typing_extensions import override

from services.brokerage import rights, users
from shared.messaging.label import Label
from shared.messaging.topology import definitions
from tests.benchmarks.apart import PEER, group, resident, with_peers
from tests.benchmarks.rpc import ALONE, CALLERS, EACH, Weighed, alone, crowded
from tests.benchmarks.sending import Sent, joined, turns
from tests.messaging.loopback import Loopback

LABEL = Label(
    direction="request",
    caller="portal",
    service="crm",
    operation="create",
    message_id=UUID(int=1),
    command_id=UUID(int=2),
    expires=1,
    reply_to="reply.portal.1",
)


class Answers(Loopback):
    """Gives every question the same answer."""

    @override
    def ask(self, label: Label, body: bytes, timeout: float) -> tuple[Label, bytes]:
        del body, timeout
        return replace(label, direction="reply"), b"12345"


def test_a_peer_may_do_everything_in_a_place_of_its_own_and_nothing_in_ours() -> None:
    passwords = dict.fromkeys(users(), "word")
    ours = definitions("letterlock", rights(), passwords, "operator")

    both = with_peers(ours, "secret")

    added = {
        kind: [each for each in both[kind] if each not in ours[kind]]  # type: ignore[attr-defined,operator]
        for kind in ("vhosts", "users", "permissions")
    }
    assert {each["vhost"] for each in added["permissions"]} == {PEER}
    assert {each["user"] for each in added["permissions"]} == {PEER}
    assert [each["name"] for each in added["vhosts"] + added["users"]] == [PEER, PEER]
    assert {kind: both[kind] for kind in both if kind not in added} == {
        kind: ours[kind] for kind in ours if kind not in added
    }


def test_memory_is_counted_for_living_processes_only() -> None:
    own, nobody = os.getpid(), 2**30

    assert resident([own]) > 1_000_000
    assert resident([own, nobody]) < 2 * resident([own])
    assert resident([nobody]) == 0
    assert own in group(os.getpgrp())


@pytest.mark.parametrize(
    ("letters", "each"), [(1, [1]), (40, [40]), (90, [40, 40, 10])]
)
def test_systems_that_take_turns_send_all_letters(
    letters: int, each: list[int]
) -> None:
    assert turns(letters) == each


def test_what_a_letter_took_is_the_mean_over_letters_not_over_turns() -> None:
    many = Sent(letters=3, accepted=1.0, mailed=2.0, tokens=["a", "b", "c"])
    last = Sent(letters=1, accepted=5.0, mailed=6.0, tokens=["d"])

    assert joined([many, last]) == Sent(
        letters=4, accepted=2.0, mailed=3.0, tokens=["a", "b", "c", "d"]
    )


def test_one_caller_makes_its_calls_one_after_another() -> None:
    calls: list[int] = []

    alone(calls.append)()

    assert calls == [0] * ALONE


def test_several_callers_make_as_many_calls_each_as_who_they_are() -> None:
    calls: Counter[int] = Counter()
    lock = threading.Lock()

    def call(caller: int) -> None:
        with lock:
            calls[caller] += 1

    crowded(call)()

    assert calls == dict.fromkeys(range(CALLERS), EACH)


def test_a_call_that_fails_among_several_is_not_measured() -> None:
    def call(caller: int) -> None:
        if caller == CALLERS - 1:
            raise OSError("away")

    with pytest.raises(OSError, match="away"):
        crowded(call)()


def test_a_carrier_is_weighed_without_changing_what_it_carries() -> None:
    weighed = Weighed(Answers())

    with weighed.line() as line:
        label, body = line.ask(LABEL, b"123", 1.0)

    assert (label.direction, body) == ("reply", b"12345")
    assert (weighed.asked, weighed.answered) == (3, 5)
