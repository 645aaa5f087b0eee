"""Poison ends among the dead letters, with its cause and its body in no log."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from services.__main__ import main
from services.children import Supervisor
from services.compose import opened
from services.crm.commands import CreateContact
from services.crm.events import ContactCreated
from services.dead_letters import listed, replayed
from services.processes import asking
from shared.settings import Settings
from tests.messaging.broker import dead_of, state_of
from tests.messaging.poison import CANARY, Forge, kinds, person, publish
from tests.waiting import LONG

pytestmark = pytest.mark.integration
QUEUE = "ask.crm"


def until(holds: Callable[[], bool], patience: float = LONG) -> bool:
    end = time.monotonic() + patience
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def contacts_made(settings: Settings) -> int:
    with opened(settings) as core:
        return sum(
            isinstance(record.event, ContactCreated)
            for record in core.store.read_all(0, 1000)
        )


def told(settings: Settings) -> str:
    logs = [
        *settings.folder.run.glob("*.log"),
        *(settings.data / "broker").glob("log/*"),
    ]
    return "".join(path.read_text(errors="replace") for path in logs)


def test_every_kind_is_buried_with_its_cause_and_nothing_runs(
    served: tuple[Settings, Supervisor],
) -> None:
    settings, supervisor = served
    pid = supervisor.children["rpc crm"].process.pid
    wanted = kinds(Forge(settings))
    publish(settings, [raw for raw, _ in wanted.values()])
    assert until(lambda: dead_of(settings) >= len(wanted))
    letters = listed(settings)
    assert Counter(letter["cause"] for letter in letters) == Counter(
        cause for _, cause in wanted.values()
    )
    assert until(lambda: state_of(settings, QUEUE).waiting == 0)
    assert contacts_made(settings) == 0
    with asking(settings) as apis:  # the reader is alive, and the same one
        apis.crm.create(*person())
    assert supervisor.children["rpc crm"].process.poll() is None
    assert supervisor.children["rpc crm"].process.pid == pid
    assert CANARY not in told(settings)
    assert CANARY not in repr(letters)


def test_a_replayed_message_is_buried_and_acts_once(
    served: tuple[Settings, Supervisor],
) -> None:
    settings, _ = served
    dead, made = dead_of(settings), contacts_made(settings)
    publish(settings, [Forge(settings).good(1)] * 3)
    assert until(lambda: dead_of(settings) == dead + 2)
    assert [letter["cause"] for letter in listed(settings)][-2:] == ["replayed"] * 2
    assert contacts_made(settings) == made + 1


def test_only_what_may_succeed_is_put_back(served: tuple[Settings, Supervisor]) -> None:
    settings, _ = served
    made = contacts_made(settings)
    before = listed(settings)
    assert "late" in [letter["cause"] for letter in before]
    back = [letter for letter in replayed(settings) if letter["became"] == "put back"]
    assert [letter["cause"] for letter in back] == ["late"]
    assert until(lambda: contacts_made(settings) == made + 1)
    assert len(listed(settings)) == len(before) - 1


def test_in_is_done_and_dead_and_pending_while_the_reader_is_killed(
    served: tuple[Settings, Supervisor],
) -> None:
    settings, supervisor = served
    forge = Forge(settings)
    dead, made = len(listed(settings)), contacts_made(settings)
    good = [forge.good(number) for number in range(40)]
    bad = [forge.twisted(lambda plain: plain[:-1]) for _ in range(20)]
    mixed = [raw for i in range(20) for raw in (good[2 * i], bad[i], good[2 * i + 1])]
    publish(settings, mixed[:30])
    os.kill(supervisor.children["rpc crm"].process.pid, signal.SIGKILL)
    publish(settings, mixed[30:])

    def settled() -> bool:
        supervisor.revive()
        return (
            state_of(settings, QUEUE).waiting == 0
            and state_of(settings, QUEUE).readers == 1
            and contacts_made(settings) == made + 40
            and len(listed(settings)) == dead + 20
        )

    assert until(settled, 2 * LONG), (
        state_of(settings, QUEUE),
        contacts_made(settings) - made,
        len(listed(settings)) - dead,
    )


def test_the_command_lists_dead_letters_without_bodies(
    served: tuple[Settings, Supervisor], capsys: pytest.CaptureFixture[str]
) -> None:
    settings, _ = served
    words = ["--data", str(settings.data), "--port-base", str(settings.port_base)]
    assert main(["dead-letters", "list", *words]) == 0
    told = capsys.readouterr().out
    assert "form:json" in told
    assert CANARY not in told
    assert main(["dead-letters", "list", "--json", *words]) == 0
    letters = json.loads(capsys.readouterr().out)["dead_letters"]
    assert len(letters) == len(listed(settings))


def test_a_request_of_the_wrong_form_never_leaves_the_caller(
    served: tuple[Settings, Supervisor],
) -> None:
    settings, _ = served
    _, context = person()
    with asking(settings) as apis, pytest.raises(Exception, match="str"):
        apis.crm.create(
            CreateContact(family=7, email="a@example.org"),  # type: ignore[arg-type]
            context,
        )


def test_no_file_of_the_broker_holds_a_name(
    served: tuple[Settings, Supervisor],
) -> None:
    settings, _ = served
    broker = settings.data / "broker"
    held = [path for path in Path(broker).rglob("*") if path.is_file()]
    # Poison in plain text came in plain; what our own processes sent is not there.
    own = [b"p%d@example.org" % number for number in range(40)]
    assert held
    assert not [p for p in held for name in own if name in p.read_bytes()]
