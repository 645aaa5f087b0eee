"""A broker that is away, comes back, or has nowhere to put a message."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from services.brokerage import create_accounts, definitions_of, write_definitions
from services.crm.api import CrmApi
from services.dead_letters import listed, replayed
from services.distributed import talk_over
from services.talking import broker_of
from shared.clock import SystemClock
from shared.context import Done
from shared.errors import Fault
from shared.messaging.client import Patience, RemoteFault
from shared.messaging.desk import Desk
from shared.messaging.names import ASK, DEAD, DELIVERIES, REPLY, own_queue, queue_of
from shared.messaging.node import Node, Tls
from shared.messaging.port import Unreachable
from shared.messaging.rabbit.broker import BROKEN
from shared.messaging.rabbit.hints import RabbitHints
from shared.messaging.rabbit.intake import Intake
from shared.messaging.rabbit.lines import NobodyThere, RabbitLine, RabbitLines
from shared.messaging.sealed import Window
from shared.messaging.wire import operations_of
from shared.settings import Settings
from tests.kurrent.authority import Authority
from tests.messaging.broker import fresh_settings, raw_channel, state_of
from tests.messaging.poison import Forge, Raw, person
from tests.waiting import AT_ONCE, LONG, persistently, until

pytestmark = pytest.mark.integration


@dataclass
class Handler:
    """Answers for crm; fails as often as it is told."""

    fails: int = 0
    calls: list[Any] = field(default_factory=list)

    def create(self, request: Any, context: Any) -> Done:
        self.calls.append(context.command_id)
        if self.fails:
            self.fails -= 1
            raise ValueError("Zaphira")
        return Done(position=len(self.calls), ref="r")


@dataclass
class Reader:
    """The crm queue, read in a thread of the test."""

    settings: Settings
    handler: Handler
    intake: Intake
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.is_set():
            for arrived in self.intake.next(0.1):
                asked, result, error = arrived.asked, None, None
                try:
                    result = self.intake._desk.carry_out(
                        asked.label, asked.operation.name, asked.request, asked.context
                    )
                except Exception as raised:  # noqa: BLE001  # as nameko does
                    error = raised
                self.intake.settle(arrived, result, error)


@contextmanager
def read_by(settings: Settings, handler: Handler) -> Iterator[Reader]:
    """Serve crm by a handler, in a thread of the test."""
    broker = broker_of(settings, "crm")
    with ExitStack() as stack:
        lines = stack.enter_context(closing(RabbitLines(broker)))
        talk = talk_over(lines, settings)
        desk = Desk(
            "crm",
            operations_of(CrmApi),
            lambda caller: handler,
            seals=talk.seals,
            window=Window(SystemClock()),
            clock=SystemClock(),
            patience=talk.patience,
        )
        intake = stack.enter_context(
            closing(Intake(broker, "crm", desk, lines, ahead=8))
        )
        reading = Reader(settings, handler, intake)
        thread = threading.Thread(target=reading.run)
        thread.start()
        try:
            yield reading
        finally:
            reading.stop.set()
            thread.join()


@pytest.fixture
def reader(brokered: tuple[Settings, Node]) -> Iterator[Reader]:
    with read_by(brokered[0], Handler()) as reading:
        yield reading


def as_sent(channel: Any, raw: Raw) -> Any:
    return channel.prepare_message(
        raw.body,
        content_type=raw.content_type,
        content_encoding=raw.content_encoding,
        headers=raw.headers,
        properties={"reply_to": raw.reply_to},
    )


@pytest.fixture
def crm(brokered: tuple[Settings, Node]) -> Iterator[CrmApi]:
    settings, _ = brokered
    with closing(RabbitLines(broker_of(settings, "portal"))) as lines:
        talk = replace(talk_over(lines, settings), patience=Patience(AT_ONCE))
        yield talk.apis("portal").crm


def test_a_fault_that_passes_is_answered(reader: Reader, crm: CrmApi) -> None:
    reader.handler.fails = 2
    assert crm.create(*person()).ref == "r"
    assert len(reader.handler.calls) == 3


def test_what_always_fails_is_dead_and_can_be_put_back(
    reader: Reader, crm: CrmApi, caplog: pytest.LogCaptureFixture
) -> None:
    reader.handler.fails = 3
    request, context = person()
    with pytest.raises(RemoteFault):
        crm.create(request, context)
    assert "Zaphira" not in caplog.text
    until(lambda: len(listed(reader.settings)) == 1)
    assert listed(reader.settings)[0]["cause"] == "failed:ValueError"
    replayed(reader.settings)
    until(lambda: len(reader.handler.calls) == 4)
    assert set(reader.handler.calls) == {context.command_id}
    assert listed(reader.settings) == []


def test_a_message_that_brings_its_reader_down_dies_after_five_deliveries(
    brokered: tuple[Settings, Node],
) -> None:
    settings, _ = brokered
    raw = Forge(settings).good()
    with raw_channel(settings, "portal") as channel:
        message = as_sent(channel, raw)
        channel.basic_publish_confirm(message, exchange=ASK, routing_key="crm.create")
    taken, end = 0, time.monotonic() + LONG
    while not (letters := listed(settings)) and time.monotonic() < end:
        with raw_channel(settings, "crm") as channel:  # takes it and is gone
            taken += channel.basic_get(queue_of("crm")) is not None
    assert taken == DELIVERIES + 1
    assert letters[0]["cause"] == "broker:delivery_limit"
    assert letters[0]["route"] == "crm.create"
    assert state_of(settings, queue_of("crm")).waiting == 0
    assert [x["became"] for x in replayed(settings)] == ["put back"]
    with read_by(settings, Handler()) as reading:
        until(lambda: len(reading.handler.calls) == 1)


def test_an_answer_for_nobody_is_returned_not_lost_silently(
    brokered: tuple[Settings, Node],
) -> None:
    settings, _ = brokered
    _, context = person()
    label = Forge(settings).label(context, direction="reply")
    with closing(RabbitLines(broker_of(settings, "crm"))) as lines:
        for _ in range(2):  # and the line goes on
            with pytest.raises(NobodyThere), lines.line() as line:
                line.publish(REPLY, own_queue("reply", "portal", "f" * 32), label, b"")


def test_hints_wake_other_processes(brokered: tuple[Settings, Node]) -> None:
    settings, _ = brokered
    with (
        closing(RabbitHints(broker_of(settings, "crm"))) as teller,
        closing(RabbitHints(broker_of(settings, "audit"))) as listener,
    ):
        assert listener.wait(0, LONG)  # it listens now
        while listener.wait(0, 0.3):
            pass
        started = time.monotonic()
        teller.notify(1)
        assert listener.wait(0, LONG)
        assert time.monotonic() - started < AT_ONCE


def test_without_dead_letters_nothing_is_dropped_and_somebody_is_alarmed(
    brokered: tuple[Settings, Node], caplog: pytest.LogCaptureFixture, crm: CrmApi
) -> None:
    settings, node = brokered
    vhost = ("-p", settings.broker_vhost)
    node.control("delete_queue", *vhost, "dead")
    poison = Forge(settings).twisted(lambda plain: plain[:-1])
    with read_by(settings, Handler()) as reading:
        with raw_channel(settings, "portal") as channel:
            channel.basic_publish_confirm(
                as_sent(channel, poison), exchange=ASK, routing_key="crm.create"
            )
        until(lambda: "dead letters cannot be kept" in caplog.text)
        assert crm.create(*person()).ref == "r"  # others are served
        assert len(reading.handler.calls) == 1
    node.control("import_definitions", write_definitions(settings))
    with read_by(settings, Handler()):
        until(lambda: len(listed(settings)) == 1)
    assert listed(settings)[0]["cause"] == "form:json"
    node.control("purge_queue", *vhost, "dead")


def test_full_dead_letters_refuse_and_what_they_refuse_waits(
    brokered: tuple[Settings, Node], caplog: pytest.LogCaptureFixture, crm: CrmApi
) -> None:
    settings, node = brokered
    vhost = ("-p", settings.broker_vhost)
    node.control("purge_queue", *vhost, DEAD)
    narrowed(settings, node)
    poison = [Forge(settings).twisted(lambda plain: plain[:-1]) for _ in range(5)]
    try:
        with read_by(settings, Handler()) as reading:
            send_all(settings, poison)
            until(lambda: "dead letters cannot be kept" in caplog.text)
            assert crm.create(*person()).ref == "r"  # others are served
            assert len(reading.handler.calls) == 1
            assert 0 < state_of(settings, DEAD).waiting < len(poison)
            node.control("clear_policy", *vhost, "narrow")
            until(lambda: len(listed(settings)) == len(poison))
            until(lambda: state_of(settings, queue_of("crm")).waiting == 0)
    finally:
        node.control("purge_queue", *vhost, DEAD)


def send_all(settings: Settings, forged: Sequence[Raw]) -> None:
    """Send messages as the portal's account, each taken by the broker."""
    with raw_channel(settings, "portal") as channel:
        for each in forged:
            channel.basic_publish_confirm(
                as_sent(channel, each), exchange=ASK, routing_key="crm.create"
            )


def narrowed(settings: Settings, node: Node) -> None:
    """Let one dead letter fill the queue, until the policy is cleared."""
    vhost = ("-p", settings.broker_vhost)
    narrow = ("set_policy", *vhost, "narrow", "^dead$", '{"max-length":1}')
    node.control(*narrow, "--apply-to", "queues", "--priority", "9")
    until(lambda: "narrow" in node.control("list_queues", *vhost, "policy"))


def test_junk_that_finds_no_grave_is_counted_and_keeps_nobody_waiting(
    brokered: tuple[Settings, Node], caplog: pytest.LogCaptureFixture, crm: CrmApi
) -> None:
    settings, node = brokered
    vhost = ("-p", settings.broker_vhost)
    node.control("purge_queue", *vhost, DEAD)
    narrowed(settings, node)
    good = Forge(settings).good()
    forged = [replace(good, body=bytes(99)) for _ in range(40)]
    try:
        with read_by(settings, Handler()) as reading:
            send_all(settings, forged)
            assert crm.create(*person()).ref == "r"
            until(lambda: "dead letters are full; forged let go" in caplog.text)
            reading.handler.fails = 3  # what failed inside is not let go
            with pytest.raises(RemoteFault):
                crm.create(*person())
            until(lambda: state_of(settings, queue_of("crm")).waiting == 0)
            node.control("clear_policy", *vhost, "narrow")
            until(lambda: "failed:ValueError" in str(listed(settings)))
            reading.stop.set()
        dead = [letter["cause"] for letter in listed(settings)].count("forged")
        told = re.findall(r"full; forged let go \((\d+)\)", caplog.text)
        assert dead + sum(map(int, told)) == len(forged)
    finally:
        node.control("purge_queue", *vhost, DEAD)


def test_an_answer_that_cannot_be_handed_over_does_not_hold_the_place_of_others(
    brokered: tuple[Settings, Node], crm: CrmApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = brokered
    failures = iter([Unreachable("it is busy")] * 3)
    plain = RabbitLine.publish

    def publish(line: RabbitLine, exchange: str, *rest: Any) -> None:
        if exchange == REPLY and (failure := next(failures, None)):
            raise failure
        plain(line, exchange, *rest)

    monkeypatch.setattr(RabbitLine, "publish", publish)
    with read_by(settings, Handler()) as reading:
        assert crm.create(*person()).ref == "r"  # it came again, to the same process
        assert len(set(reading.handler.calls)) == 1
        assert len(reading.handler.calls) == 2


def test_tls_is_checked_and_nothing_else_is_spoken(tmp_path: Path) -> None:
    settings = fresh_settings(tmp_path)
    create_accounts(settings)
    authority, stranger = Authority(), Authority()
    key, certificate = authority.certificate("localhost")
    files = {
        "ca.pem": authority.root,
        "other.pem": stranger.root,
        "cert.pem": certificate,
        "key.pem": key,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    tls = Tls(
        ca=tmp_path / "ca.pem",
        certificate=tmp_path / "cert.pem",
        key=tmp_path / "key.pem",
    )
    folder, port = settings.data / "broker", settings.broker_port
    node = Node(folder, port, definitions_of(settings), tls)
    node.start()
    try:
        secured = replace(
            settings, broker_host="localhost", broker_ca=tmp_path / "ca.pem"
        )
        broker_of(secured, "viewer").connect().close()
        for wrong in (
            replace(secured, broker_ca=tmp_path / "other.pem"),
            replace(secured, broker_host="127.0.0.1"),  # not the certificate's name
            settings,  # in plain text
        ):
            with pytest.raises(BROKEN):
                broker_of(wrong, "viewer").connect()
    finally:
        node.stop()


def test_a_broker_killed_is_refused_clearly_and_taken_up_again(
    brokered: tuple[Settings, Node], reader: Reader, crm: CrmApi
) -> None:
    _, node = brokered
    before = crm.create(*person())
    request, context = person(1)
    node.kill()
    with pytest.raises((Unreachable, RemoteFault)) as refused:
        crm.create(request, context)
    assert isinstance(refused.value, Fault)
    with closing(RabbitHints(reader.intake._broker)) as hints:
        hints.notify(1)  # returns at once, whatever the broker does
        assert hints.wait(0, 1)
    node.start()
    after = persistently(lambda: crm.create(request, context))
    assert after.position > before.position
