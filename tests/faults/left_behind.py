"""Messages left lying at a broker: in flight, dead, and one that gives itself away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from services.crm.commands import CreateContact
from shared.clock import SystemClock, micros
from shared.messaging.wire import encode_request
from shared.settings import Settings
from tests.messaging.poison import CREATE, Forge, Raw, person, publish

DURABLE: Final = 2  # delivery mode


def leave_in_flight(settings: Settings, who: CreateContact, count: int) -> None:
    """Send good requests to enter `who`; where nobody reads they lie in the queue."""
    messages = [_request(settings, who) for _ in range(count)]
    publish(settings, messages, delivery_mode=DURABLE)


def leave_dead(settings: Settings, who: CreateContact) -> None:
    """Send two requests that are buried: one too late, one that is not genuine."""
    late = micros(SystemClock().now() - timedelta(minutes=1))
    forged = _request(settings, who)
    twisted = forged.body[:-1] + bytes([forged.body[-1] ^ 1])
    messages = [_request(settings, who, expires=late), replace(forged, body=twisted)]
    publish(settings, messages, delivery_mode=DURABLE)


def leave_plain(settings: Settings, text: str) -> None:
    """Send a text that nobody sealed."""
    plain = replace(Forge(settings).good(), body=text.encode())
    publish(settings, [plain], delivery_mode=DURABLE)


def _request(settings: Settings, who: CreateContact, **label: object) -> Raw:
    _, context = person()
    plain = encode_request(CREATE, who, context)
    return Forge(settings).sealed(plain, context, **label)
