"""Messages left lying at a broker: in flight, dead, and one that gives itself away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from services.crm.commands import CreateContact
from shared.clock import SystemClock, micros
from shared.messaging.names import ASK
from shared.messaging.wire import encode_request
from shared.settings import Settings
from tests.messaging.broker import raw_channel
from tests.messaging.poison import CREATE, Forge, Raw, person

ROUTE: Final = "crm.create"
DURABLE: Final = 2  # delivery mode


def leave_in_flight(settings: Settings, who: CreateContact, count: int) -> None:
    """Send good requests to enter `who`; where nobody reads they lie in the queue."""
    _publish(settings, [_request(settings, who) for _ in range(count)])


def leave_dead(settings: Settings, who: CreateContact) -> None:
    """Send two requests that are buried: one too late, one that is not genuine."""
    late = micros(SystemClock().now() - timedelta(minutes=1))
    forged = _request(settings, who)
    twisted = forged.body[:-1] + bytes([forged.body[-1] ^ 1])
    _publish(
        settings,
        [_request(settings, who, expires=late), replace(forged, body=twisted)],
    )


def leave_plain(settings: Settings, text: str) -> None:
    """Send a text that nobody sealed."""
    _publish(settings, [replace(Forge(settings).good(), body=text.encode())])


def _request(settings: Settings, who: CreateContact, **label: object) -> Raw:
    _, context = person()
    plain = encode_request(CREATE, who, context)
    return Forge(settings).sealed(plain, context, **label)


def _publish(settings: Settings, messages: list[Raw]) -> None:
    with raw_channel(settings, "portal") as channel:
        for raw in messages:
            message = channel.prepare_message(
                raw.body,
                content_type=raw.content_type,
                content_encoding=raw.content_encoding,
                headers=raw.headers,
                properties={"reply_to": raw.reply_to, "delivery_mode": DURABLE},
            )
            channel.basic_publish_confirm(message, exchange=ASK, routing_key=ROUTE)
