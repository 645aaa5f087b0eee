"""Messages that must never reach a handler, each with the cause it is buried for."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from services.crm.api import CrmApi
from services.crm.commands import CreateContact
from shared.clock import SystemClock, micros
from shared.context import CallContext
from shared.ids import mint
from shared.messaging.label import CONTENT_TYPE, Label, headers_of
from shared.messaging.names import ASK
from shared.messaging.pairs import Pairs
from shared.messaging.sealed import Seals
from shared.messaging.wire import encode_request, operations_of
from shared.settings import Settings
from tests.messaging.broker import raw_channel

CANARY = "Zaphira"
CREATE = operations_of(CrmApi)["create"]
ANSWER = "reply.portal." + "0" * 32


@dataclass
class Raw:
    """A message as bytes and properties, to be published as it is."""

    body: bytes
    content_type: str | None = CONTENT_TYPE
    content_encoding: str | None = "binary"
    headers: dict[str, Any] = field(default_factory=dict)
    reply_to: str = ANSWER


def person(number: int = 0) -> tuple[CreateContact, CallContext]:
    """Return a request to enter one person."""
    command = mint()
    context = CallContext(
        command_id=command,
        correlation_id=command,
        actor_id="a" * 32,
        actor_kind="staff",
        role="sender",
    )
    name = CANARY + "abcdefghij"[number % 10]
    return CreateContact(family=name, email=f"p{number}@example.org"), context


class Forge:
    """Makes messages from portal to crm, good and bad, with the real key."""

    def __init__(self, settings: Settings) -> None:
        self.seals = Seals(Pairs(settings.folder.keys / "pairs"))

    def label(self, context: CallContext, **other: Any) -> Label:
        label = Label(
            direction="request",
            caller="portal",
            service="crm",
            operation="create",
            message_id=mint(),
            command_id=context.command_id,
            expires=micros(SystemClock().now() + timedelta(seconds=60)),  # the longest
            reply_to=ANSWER,
        )
        return replace(label, **other)

    def good(self, number: int = 0, **other: Any) -> Raw:
        request, context = person(number)
        return self.sealed(encode_request(CREATE, request, context), context, **other)

    def sealed(self, plain: bytes, context: CallContext, **other: Any) -> Raw:
        label = self.label(context, **other)
        return Raw(
            body=self.seals.seal(label, plain),
            headers=headers_of(label),
            reply_to=label.reply_to,
        )

    def twisted(self, twist: Callable[[bytes], bytes]) -> Raw:
        """Return a genuine message with a twisted plain text."""
        request, context = person()
        return self.sealed(twist(encode_request(CREATE, request, context)), context)


def kinds(forge: Forge) -> dict[str, tuple[Raw, str]]:
    """Return each kind of poison with the cause it must be buried for."""
    email = b'"email":"p0@example.org"'
    canary = CANARY.encode()
    good = forge.good()
    soon = micros(SystemClock().now())

    def foreign(content_type: str | None, body: bytes, encoding: str = "binary") -> Raw:
        return replace(
            good, body=body, content_type=content_type, content_encoding=encoding
        )

    def inside(new: bytes) -> Raw:
        return forge.twisted(lambda plain: plain.replace(email, new))

    plain = json.dumps({"args": [CANARY], "kwargs": {}}).encode()
    return {
        "pickle": (
            foreign("application/x-python-serialize", pickle.dumps({"a": CANARY})),
            "content_type",
        ),
        "yaml": (
            foreign("application/x-yaml", b"!!python/object:os.system " + canary),
            "content_type",
        ),
        "msgpack": (
            foreign("application/x-msgpack", b"\x81\xa1a" + canary),
            "content_type",
        ),
        "application/data": (foreign("application/data", canary), "content_type"),
        "application/text": (
            foreign("application/text", canary, "utf-8"),
            "content_type",
        ),
        "plain json": (foreign("application/json", plain, "utf-8"), "content_type"),
        "missing type": (foreign(None, canary), "content_type"),
        "undecodable": (
            foreign("text/plain", b"\xff\xfe" + canary, "utf-8"),
            "content_type",
        ),
        "10 MiB": (replace(good, body=canary * (10 * 2**20 // len(canary))), "size"),
        "wrong schema": (replace(good, headers={**good.headers, "v": 2}), "schema"),
        "unknown header": (
            replace(good, headers={**good.headers, "cc": CANARY}),
            "headers",
        ),
        "no headers": (replace(good, headers={}), "schema"),
        "forged": (replace(good, body=good.body[:-1] + b"\0"), "forged"),
        "moved": (
            replace(good, headers={**good.headers, "id": str(mint())}),
            "forged",
        ),
        "other operation": (
            replace(good, headers={**good.headers, "operation": "change"}),
            "route",
        ),
        "late": (forge.good(expires=soon), "late"),
        "NaN": (inside(b'"email":NaN'), "form:json"),
        "duplicate keys": (inside(email + b"," + email), "form:canonical"),
        "__type__": (
            inside(b'"email":{"__type__":"uuid","__value__":"' + canary + b'"}'),
            "form:str",
        ),
        "10^6 digits": (inside(b'"email":' + b"9" * 10**6), "form:json"),
        "depth 10^5": (
            inside(b'"email":' + b"[" * 10**5 + b"]" * 10**5),
            "form:depth",
        ),
        "unknown field": (inside(email + b',"bcc":"' + canary + b'"'), "form:fields"),
        "2 MiB": (replace(good, body=canary * (2 * 2**20 // len(canary))), "size"),
        "no end of lists": (
            inside(b'"email":[' + b"{}," * 300_000 + b"{}]"),
            "form:size",
        ),
        "no end of quotes": (
            forge.twisted(lambda plain: b'"' + rb"\"" * 500_000),
            "form:json",
        ),
        "missing field": (inside(b'"phone":"' + canary + b'"'), "form:fields"),
    }


def publish(settings: Settings, messages: Sequence[Raw], **properties: object) -> None:
    """Send messages to the crm service as the portal, confirmed, as they are."""
    with raw_channel(settings, "portal") as channel:
        for raw in messages:
            message = channel.prepare_message(
                raw.body,
                content_type=raw.content_type,
                content_encoding=raw.content_encoding,
                headers=raw.headers,
                properties={"reply_to": raw.reply_to, **properties},
            )
            channel.basic_publish_confirm(
                message, exchange=ASK, routing_key="crm.create"
            )
