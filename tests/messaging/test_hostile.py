"""Whoever has an account may write what he likes: no process ends, nobody is blind."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from amqp.exceptions import AMQPError

from services.__main__ import main
from services.brokerage import OPERATOR
from services.children import Supervisor
from services.dead_letters import listed
from services.processes import asking
from services.talking import broker_of
from shared.messaging.names import DEAD, HINTS, LINES, MOVED, REPLY, queue_of
from shared.messaging.node import Node
from shared.messaging.rabbit.broker import BROKEN, RefusesUs
from shared.messaging.rabbit.hints import RabbitHints
from shared.messaging.rabbit.lines import RabbitLine
from shared.settings import Settings
from tests.messaging.broker import dead_of, fresh_settings, private_broker, raw_channel
from tests.messaging.hostile import NOT_TEXT, Hostile, put
from tests.messaging.poison import ANSWER, CANARY, Forge, Raw, person, publish
from tests.waiting import LONG, until

pytestmark = pytest.mark.integration
HOSTILE = [
    "unknown compression", "compression bomb", "header name", "header value",
    "content type", "nested headers", "nearly too nested", "far time", "short number",
    "slow codec", "no properties",
]  # fmt: skip


def settled(settings: Settings, supervisor: Supervisor, before: int) -> list[str]:
    """Return the causes of what was buried; the reader is the one that was there."""
    until(lambda: dead_of(settings) > before, "the dead letter")
    with asking(settings) as apis:
        apis.crm.create(*person())
    assert supervisor.children["rpc crm"].process.poll() is None
    logs = settings.folder.run.glob("*.log")
    told = "".join(path.read_text(errors="replace") for path in logs)
    assert CANARY not in told
    assert "Traceback" not in told
    letters = listed(settings)
    assert CANARY not in repr(letters)
    return [str(letter["cause"]) for letter in letters[before:]]


def test_every_kind_is_listed() -> None:
    with tempfile.TemporaryDirectory(prefix="letterlock-") as folder:
        settings = fresh_settings(Path(folder))
        assert list(Hostile(Forge(settings)).kinds()) == HOSTILE


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_no_library_should_read_is_buried_like_any_other(
    served: tuple[Settings, Supervisor], kind: str
) -> None:
    settings, supervisor = served
    before = dead_of(settings)
    hostile = Hostile(Forge(settings)).kinds()[kind]
    put(settings, hostile)
    assert settled(settings, supervisor, before) == [hostile.cause]


@pytest.mark.parametrize(("name", "cause"), [("CC", "headers"), ("BCC", "route")])
def test_a_copy_for_a_service_that_one_may_not_ask_is_refused_there(
    served: tuple[Settings, Supervisor], name: str, cause: str
) -> None:
    settings, supervisor = served
    before = dead_of(settings)
    copied = Hostile(Forge(settings)).copied("crm.permit", name)
    try:
        put(settings, copied, user="viewer", key="envelope.knock")
    except AMQPError:  # a newer broker refuses it by itself
        return
    assert settled(settings, supervisor, before) == [cause]


def test_what_the_broker_buries_by_itself_is_listed_in_plain_words(
    served: tuple[Settings, Supervisor], capsys: pytest.CaptureFixture[str]
) -> None:
    settings, supervisor = served
    before = dead_of(settings)
    put(settings, Hostile(Forge(settings)).expired(), key="letters.draft")  # unread
    assert settled(settings, supervisor, before) == ["broker:expired"]
    assert listed(settings)[-1]["queue"] == queue_of("letters")
    words = ["--data", str(settings.data), "--port-base", str(settings.port_base)]
    assert main(["dead-letters", "list", *words]) == 0
    assert "broker:expired" in capsys.readouterr().out


def test_answers_led_to_another_service_are_refused_there(
    served: tuple[Settings, Supervisor],
) -> None:
    settings, supervisor = served
    before = dead_of(settings)
    queue = f"reply.viewer.{uuid4().hex}"
    onward = {
        "x-dead-letter-exchange": "ask",
        "x-dead-letter-routing-key": "crm.permit",
        "x-message-ttl": 0,
    }
    with raw_channel(settings, "viewer") as channel:
        channel.queue_declare(queue, exclusive=True, arguments=onward)
        channel.queue_bind(queue, REPLY, queue)
        genuine = Forge(settings).good(direction="reply", service="envelope")
        answer = replace(Hostile(Forge(settings)).kinds()["header value"])
        with raw_channel(settings, "envelope") as answering:
            message = answering.prepare_message(
                genuine.body,
                content_type=genuine.content_type,
                content_encoding=genuine.content_encoding,
                headers=genuine.headers,
                properties={"reply_to": ANSWER},
            )
            answering.basic_publish_confirm(message, exchange=REPLY, routing_key=queue)
        put(settings, answer, user="envelope", exchange=REPLY, key=queue)
        until(lambda: dead_of(settings) == before + 2, "the dead letters")
    assert sorted(settled(settings, supervisor, before)) == ["headers", "route"]


def test_bodies_are_kept_only_of_what_may_be_put_back(
    served: tuple[Settings, Supervisor],
) -> None:
    settings, _ = served
    before = dead_of(settings)
    forge = Forge(settings)
    good = forge.good()
    late = forge.good(expires=1)
    forged = replace(good, body=bytes(2**20))
    large = replace(good, body=bytes(2**21))
    publish(settings, [late, forged, large])
    until(lambda: dead_of(settings) == before + 3, "the dead letters")
    told = {letter["cause"]: letter["bytes"] for letter in listed(settings)[before:]}
    assert told == {"late": len(late.body), "forged": 2**20, "size": 2**21}
    with raw_channel(settings, OPERATOR) as channel:
        found = [channel.basic_get(DEAD) for _ in range(before + 3)][before:]
        sizes = {m.headers["x-cause"]: len(m.body) for m in found}
    assert sizes == {"late": len(late.body), "forged": 0, "size": 0}


@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_among_the_dead_letters_blinds_the_operator(
    served: tuple[Settings, Supervisor], kind: str
) -> None:
    settings, _ = served
    before = len(listed(settings))
    hostile = Hostile(Forge(settings)).kinds()[kind]
    put(settings, hostile, user="crm", exchange=DEAD, key=NOT_TEXT)
    letters = listed(settings)
    assert [letter["cause"] for letter in letters[before:]] == ["unreadable"]
    assert CANARY not in repr(letters)


@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_among_answers_or_hints_stops_who_waits_for_them(
    served: tuple[Settings, Supervisor], kind: str
) -> None:
    settings, _ = served
    hostile = Hostile(Forge(settings)).kinds()[kind]
    _, context = person()
    with ExitStack() as stack:
        asking_line = RabbitLine(broker_of(settings, "portal"))
        stack.enter_context(closing(asking_line))
        answering = stack.enter_context(closing(RabbitLine(broker_of(settings, "crm"))))
        hints = stack.enter_context(closing(RabbitHints(broker_of(settings, "audit"))))
        assert hints.wait(0, LONG)  # it listens
        asking_line._listen()
        label = Forge(settings).label(context, reply_to=asking_line.address)
        reply = replace(label, direction="reply")
        put(settings, hostile, user="crm", exchange=REPLY, key=asking_line.address)
        put(settings, hostile, user="crm", exchange=HINTS, key=MOVED)
        answering.publish(REPLY, asking_line.address, reply, b"sealed")
        end = time.monotonic() + LONG
        while (found := asking_line._answer_to(label)) is None:
            assert time.monotonic() < end
            asking_line._connection.drain_events(timeout=LONG)
        assert found == (reply, b"sealed")
        assert hints.wait(0, LONG)


def test_looking_at_dead_letters_changes_nothing_however_often(
    served: tuple[Settings, Supervisor], brokered: tuple[Settings, Node]
) -> None:
    settings, node = brokered
    publish(settings, [Raw(body=b"", content_type=None)])
    until(lambda: dead_of(settings) > 0, "the dead letter")
    seen = listed(settings)
    for _ in range(25):  # RabbitMQ 4 drops at the 21st unless told otherwise
        assert listed(settings) == seen
    vhost = ("-p", settings.broker_vhost)
    bound = node.control("list_queues", *vhost, "name", "policy").split("\n")
    assert f"{DEAD}\tdead-letters" in bound
    assert '"delivery-limit":1000000' in node.control("list_policies", *vhost)


def test_one_account_cannot_take_all_connections_or_queues(tmp_path: Path) -> None:
    settings = fresh_settings(tmp_path)
    with private_broker(settings) as node, ExitStack() as stack:
        made, refused = 0, ""
        while not refused and made <= LINES:
            try:
                stack.callback(broker_of(settings, "viewer").connect().close)
                made += 1
            except RefusesUs as error:
                refused = str(error)
            except BROKEN:  # it is busy
                continue
        assert made <= LINES
        assert "connections" in refused
        broker_of(settings, "portal").connect().close()
        vhost = ("-p", settings.broker_vhost)
        assert "max-queues" in node.control("list_vhost_limits", *vhost)
        told = node.control("list_queues", *vhost, "name", "policy").splitlines()
        assert f"{queue_of('crm')}\tquestions" in told
        assert f"{DEAD}\tdead-letters" in told
        told = node.control("list_policies", *vhost).splitlines()
        assert sum("max-length-bytes" in row for row in told) == len(
            ("dead", "ask", "reply")
        )
