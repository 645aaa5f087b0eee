"""A broker that is away, comes back, or has nowhere to put a message."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
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
from shared.messaging.client import RemoteFault
from shared.messaging.desk import Desk
from shared.messaging.names import ASK, DEAD, DELIVERIES, REPLY, own_queue, queue_of
from shared.messaging.node import Node, Tls
from shared.messaging.port import Unreachable
from shared.messaging.rabbit.broker import BROKEN
from shared.messaging.rabbit.hints import RabbitHints
from shared.messaging.rabbit.intake import Intake
from shared.messaging.rabbit.lines import NobodyThere, RabbitLines
from shared.messaging.sealed import Window
from shared.messaging.wire import operations_of
from shared.settings import Settings
from tests.kurrent.authority import Authority
from tests.messaging.broker import fresh_settings, raw_channel, state_of
from tests.messaging.poison import Forge, Raw, person

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


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def crm(brokered: tuple[Settings, Node]) -> Iterator[CrmApi]:
    settings, _ = brokered
    with closing(RabbitLines(broker_of(settings, "portal"))) as lines:
        yield talk_over(lines, settings).apis("portal").crm


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
    wait_for(lambda: len(listed(reader.settings)) == 1)
    assert listed(reader.settings)[0]["cause"] == "failed:ValueError"
    replayed(reader.settings)
    wait_for(lambda: len(reader.handler.calls) == 4)
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
    taken, end = 0, time.monotonic() + 20
    while not (letters := listed(settings)) and time.monotonic() < end:
        with raw_channel(settings, "crm") as channel:  # takes it and is gone
            taken += channel.basic_get(queue_of("crm")) is not None
    assert taken == DELIVERIES + 1
    assert letters[0]["cause"] == "broker:delivery_limit"
    assert letters[0]["route"] == "crm.create"
    assert state_of(settings, queue_of("crm")).waiting == 0
    assert [x["became"] for x in replayed(settings)] == ["put back"]
    with read_by(settings, Handler()) as reading:
        wait_for(lambda: len(reading.handler.calls) == 1)


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
        assert listener.wait(0, 10)  # it listens now
        while listener.wait(0, 0.3):
            pass
        assert not listener.wait(0, 0.1)
        started = time.monotonic()
        teller.notify(1)
        assert listener.wait(0, 10)
        assert time.monotonic() - started < 5


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
        wait_for(lambda: "dead letters cannot be kept" in caplog.text)
        assert crm.create(*person()).ref == "r"  # others are served
        assert len(reading.handler.calls) == 1
    node.control("import_definitions", write_definitions(settings))
    with read_by(settings, Handler()):
        wait_for(lambda: len(listed(settings)) == 1)
    assert listed(settings)[0]["cause"] == "form:json"
    node.control("purge_queue", *vhost, "dead")


def test_full_dead_letters_refuse_and_what_they_refuse_waits(
    brokered: tuple[Settings, Node], caplog: pytest.LogCaptureFixture, crm: CrmApi
) -> None:
    settings, node = brokered
    vhost = ("-p", settings.broker_vhost)
    node.control("purge_queue", *vhost, DEAD)
    narrow = ("set_policy", *vhost, "narrow", "^dead$", '{"max-length":1}')
    node.control(*narrow, "--apply-to", "queues")
    poison = [Forge(settings).twisted(lambda plain: plain[:-1]) for _ in range(6)]
    try:
        with read_by(settings, Handler()) as reading:
            with raw_channel(settings, "portal") as channel:
                for each in poison:
                    channel.basic_publish_confirm(
                        as_sent(channel, each), exchange=ASK, routing_key="crm.create"
                    )
            wait_for(lambda: "dead letters cannot be kept" in caplog.text)
            assert crm.create(*person()).ref == "r"  # others are served
            assert len(reading.handler.calls) == 1
            assert 0 < len(listed(settings)) < len(poison)
            node.control("clear_policy", *vhost, "narrow")
            wait_for(lambda: len(listed(settings)) == len(poison))
            wait_for(lambda: state_of(settings, queue_of("crm")).waiting == 0)
    finally:
        node.control("purge_queue", *vhost, DEAD)


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
    end = time.monotonic() + 30
    while True:
        try:
            after = crm.create(request, context)
            break
        except Fault:
            assert time.monotonic() < end
    assert after.position > before.position
