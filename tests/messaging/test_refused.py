"""Whom the broker refuses is told why: which account, and what to look at."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from services.__main__ import main
from services.brokerage import OPERATOR
from services.talking import broker_of
from shared.messaging.node import Node
from shared.messaging.port import Unreachable
from shared.messaging.rabbit.broker import RefusesUs, why
from shared.messaging.rabbit.lines import RabbitLines
from shared.settings import Settings

pytestmark = pytest.mark.integration
Brokered = tuple[Settings, Node]


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"password": "another"}, "keys/broker/crm"),
        ({"vhost": "nowhere"}, "broker-setup"),
    ],
)
def test_a_refused_account_is_named_and_never_its_password(
    brokered: Brokered, wrong: dict[str, str], word: str
) -> None:
    way = replace(broker_of(brokered[0], "crm"), **wrong)
    with pytest.raises(RefusesUs) as refused:
        way.connect()
    told = why(refused.value)
    assert "account crm" in told
    assert word in told
    assert way.password not in told


def test_a_site_that_is_refused_tells_its_log(
    brokered: Brokered, caplog: pytest.LogCaptureFixture
) -> None:
    lines = RabbitLines(replace(broker_of(brokered[0], "viewer"), password="another"))
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(Unreachable, match="account viewer"),
        lines.line(),
    ):
        pass
    assert "refuses account viewer" in caplog.text


def test_the_operator_reads_which_file_to_check(
    brokered: Brokered, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = brokered[0]
    path = settings.folder.keys / "broker" / OPERATOR
    before = path.read_bytes()
    path.chmod(0o600)
    try:
        path.write_text("another")
        words = ["--data", str(settings.data), "--port-base", str(settings.port_base)]
        assert main(["dead-letters", "list", *words]) == 2
    finally:
        path.write_bytes(before)
        path.chmod(0o400)
    assert f"keys/broker/{OPERATOR}" in capsys.readouterr().err
