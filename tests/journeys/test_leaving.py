"""Whoever is told to end finishes the mail at hand and begins no other."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pytest

from services.envelope.commands import SendLetter
from services.envelope.ports import Parcel, RelayAnswer
from services.envelope.reactions.postman import Postman
from shared.context import CallContext
from shared.ids import mint
from tests.systems import a_system
from tests.waiting import LONG, until

pytestmark = pytest.mark.integration


class Slow:
    """A relay that takes each mail when it is told to go on."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.taken = 0

    def deliver(self, parcel: Parcel) -> RelayAnswer:
        assert parcel.content
        self.taken += 1
        self.begun.release()
        assert self.go_on.wait(LONG)
        return RelayAnswer(outcome="accepted", code=250)


def goes_on_once_told(postman: Postman, slow: Slow) -> None:
    """Take the mail once the postman has heard that it is to end, or far too late."""
    with suppress(AssertionError):
        until(lambda: postman._leaving, patience=8)
    slow.go_on.set()


def test_of_a_round_only_the_mail_at_hand_is_finished(tmp_path: Path) -> None:
    slow = Slow()
    with a_system(tmp_path) as system:
        core = system.running.core
        postman = core.envelope.postman
        postman._relay = slow
        with postman._round:  # until a round has two mails
            for key in ("tom", "tom"):
                send = SendLetter(
                    contact_id=system.ids.contacts[key],
                    page="165104",
                    record="165100-204817",
                    sender_name="Ms Anna Ferris",
                )
                context = CallContext(
                    command_id=mint(),
                    correlation_id=mint(),
                    actor_kind="staff",
                    actor_id=system.ids.staff["anna"],
                    role="sender",
                )
                system.running.apis.envelope.send(send, context)
            until(lambda: len(postman._outbox.due(core.clock.now(), 9)) == 2)
        assert slow.begun.acquire(timeout=LONG)
        threading.Thread(target=goes_on_once_told, args=(postman, slow)).start()
    assert slow.taken == 1
