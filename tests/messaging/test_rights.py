"""Each account at the broker can do its own part and nothing else: tried, not read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from amqp.exceptions import AccessRefused

from services.brokerage import OPERATOR, rights, users
from services.talking import broker_of
from shared.messaging.names import ASK, DEAD, HINTS, MOVED, REPLY, own_queue, queue_of
from shared.messaging.node import Node
from shared.messaging.rabbit.broker import Broker, RefusesUs
from shared.settings import Settings
from tests.messaging.broker import raw_channel

pytestmark = pytest.mark.integration
HEX = "0" * 32


def publish(exchange: str, key: str) -> Callable[[Any], None]:
    def attempt(channel: Any) -> None:
        message = channel.prepare_message(b"")
        channel.basic_publish_confirm(message, exchange=exchange, routing_key=key)

    return attempt


def consume(queue: str) -> Callable[[Any], None]:
    return lambda channel: channel.basic_get(queue)


def declare(queue: str) -> Callable[[Any], None]:
    return lambda channel: channel.queue_declare(queue, exclusive=True)


def listen(user: str, exchange: str, key: str) -> Callable[[Any], None]:
    def attempt(channel: Any) -> None:
        queue = own_queue("reply", user, HEX)
        channel.queue_declare(queue, exclusive=True)
        channel.queue_bind(queue, exchange, key)

    return attempt


REFUSED = {
    "the viewer sends": ("viewer", publish(ASK, "envelope.send")),
    "the viewer makes a contact": ("viewer", publish(ASK, "crm.create")),
    "the viewer asks all": ("viewer", publish(ASK, "envelope.#")),
    "the viewer answers": ("viewer", publish(REPLY, own_queue("reply", "portal", HEX))),
    "the viewer buries": ("viewer", publish(DEAD, "")),
    "the viewer hints": ("viewer", publish(HINTS, MOVED)),
    "the viewer goes round": ("viewer", publish("", queue_of("envelope"))),
    "the viewer reads questions": ("viewer", consume(queue_of("envelope"))),
    "the viewer reads the dead": ("viewer", consume(DEAD)),
    "the viewer takes a name": ("viewer", declare(own_queue("reply", "portal", HEX))),
    "the viewer makes a queue": ("viewer", declare("free")),
    "the viewer listens in": (
        "viewer",
        listen("viewer", REPLY, own_queue("reply", "portal", HEX)),
    ),
    "the viewer listens to all": ("viewer", listen("viewer", REPLY, "#")),
    "the viewer taps questions": ("viewer", listen("viewer", ASK, "#")),
    "the viewer taps the dead": ("viewer", listen("viewer", DEAD, "")),
    "letters permits a send": ("letters", publish(ASK, "crm.permit")),
    "audit asks anything": ("audit", publish(ASK, "crm.contact")),
    "portal permits a send": ("portal", publish(ASK, "crm.permit")),
    "portal reads another's questions": ("portal", consume(queue_of("crm"))),
    "crm answers a stranger": (
        "crm",
        publish(REPLY, own_queue("reply", "viewer", HEX)),
    ),
    "the operator reads questions": (OPERATOR, consume(queue_of("crm"))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_broker_refuses_that(brokered: tuple[Settings, Node], name: str) -> None:
    user, attempt = REFUSED[name]
    with raw_channel(brokered[0], user) as channel, pytest.raises(AccessRefused):
        attempt(channel)


def test_what_the_policy_allows_the_broker_takes(
    brokered: tuple[Settings, Node],
) -> None:
    settings, _ = brokered
    for (caller, service), operations in rights().items():
        with raw_channel(settings, caller) as channel:
            for operation in sorted(operations):
                publish(ASK, f"{service}.{operation}")(channel)
            listen(caller, REPLY, own_queue("reply", caller, HEX))(channel)


def test_nobody_else_has_an_account(brokered: tuple[Settings, Node]) -> None:
    settings, _ = brokered
    strangers = [("guest", "guest", "letterlock"), ("viewer", "guess", "letterlock")]
    for user, password, vhost in strangers:
        broker = Broker(
            host="127.0.0.1",
            port=settings.broker_port,
            vhost=vhost,
            user=user,
            password=password,
        )
        with pytest.raises(RefusesUs):
            broker.connect()
        assert password not in repr(broker).replace(user, "")
    for user in users():
        elsewhere = broker_of(settings, user)
        with pytest.raises(RefusesUs):
            Broker(
                host=elsewhere.host,
                port=elsewhere.port,
                vhost="/",
                user=user,
                password=elsewhere.password,
            ).connect()
