"""A message that comes too late is told with by how much: clocks may differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import ManualClock, micros
from shared.ids import mint
from shared.messaging.label import Label, Refusal
from shared.messaging.sealed import SELDOM, Window

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_late_message_is_told_by_how_much_and_a_crowd_of_them_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = ManualClock(NOON)
    window = Window(clock)
    label = Label(
        direction="request",
        caller="portal",
        service="crm",
        operation="create",
        message_id=mint(),
        command_id=mint(),
        expires=micros(NOON - timedelta(seconds=110)),
        reply_to="reply.portal.1",
    )
    for _ in range(50):
        with pytest.raises(Refusal, match="late"):
            window.admit(replace(label, message_id=mint()), redelivered=False)
    assert [record.getMessage() for record in caplog.records] == [
        "late by 110.0 s, from portal"
    ]
    clock.move(SELDOM)
    with pytest.raises(Refusal, match="late"):
        window.admit(label, redelivered=False)
    assert "late by 120.0 s" in caplog.text
