"""A line that asks: the answer may come at any time once the question is on its way."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace

import pytest

from services.talking import broker_of
from shared.messaging.label import Label
from shared.messaging.names import REPLY
from shared.messaging.node import Node
from shared.messaging.port import Unreachable
from shared.messaging.rabbit.lines import RabbitLine
from shared.settings import Settings
from tests.messaging.poison import Forge, person
from tests.waiting import AT_ONCE, LONG

pytestmark = pytest.mark.integration


def test_an_answer_that_comes_before_the_confirmation_is_not_waited_out(
    brokered: tuple[Settings, Node],
) -> None:
    settings, _ = brokered
    forge, (_, context) = Forge(settings), person()
    with (
        closing(RabbitLine(broker_of(settings, "portal"))) as asking,
        closing(RabbitLine(broker_of(settings, "crm"))) as answering,
    ):

        def question() -> Label:
            return forge.label(context, reply_to=asking.address)

        with pytest.raises(Unreachable):  # nobody serves; but now the line listens
            asking.ask(question(), b"sealed", 0.1)
        label = question()
        reply = replace(label, direction="reply")
        other = replace(question(), direction="reply")
        for each in (other, reply):  # both lie before the line when it asks
            answering.publish(REPLY, asking.address, each, b"sealed too")
        end = time.monotonic() + AT_ONCE

        assert asking.ask(label, b"sealed", LONG) == (reply, b"sealed too")
        assert time.monotonic() < end
