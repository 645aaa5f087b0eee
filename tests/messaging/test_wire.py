"""What an operation is asked and answers survives the wire; nothing else passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.envelope.commands import SendLetter
from shared.context import CallContext
from shared.ids import mint
from shared.messaging.shapes import shape_of
from shared.messaging.wire import (
    DEEPEST,
    LARGEST_REQUEST,
    Operation,
    Unfit,
    decode_request,
    decode_result,
    encode_request,
    encode_result,
)
from tests.messaging.apis import IDS, OPERATIONS, values_of

QUICK = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SEND = next(o for s, o in OPERATIONS if (s, o.name) == ("envelope", "send"))
CONTEXT = CallContext(
    command_id=mint(),
    correlation_id=mint(),
    actor_id="0" * 32,
    actor_kind="staff",
    role="sender",
)
BODY = encode_request(
    SEND, SendLetter(contact_id="c", page="100001", sender_name="Ms A B"), CONTEXT
)


def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    plain = json.loads(BODY)
    change(plain)
    return json.dumps(plain, separators=(",", ":")).encode()


@pytest.mark.parametrize("operation", [o for _, o in OPERATIONS], ids=IDS)
@QUICK
@given(data=st.data())
def test_every_operation_round_trips(operation: Operation, data: st.DataObject) -> None:
    request = data.draw(values_of(operation.request))
    context = data.draw(values_of(CallContext))
    sent = encode_request(operation, request, context)
    assert decode_request(operation, sent) == (request, context)
    result = data.draw(values_of(operation.result))
    back = decode_result(operation, encode_result(operation, result))
    assert back == result
    assert type(back) is type(result)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (changed(lambda p: p.update(extra=1)), "fields"),
        (changed(lambda p: p["request"].update(bcc="all@example.org")), "fields"),
        (changed(lambda p: p["request"].pop("page")), "fields"),
        (changed(lambda p: p["request"].update(page=100001)), "str"),
        (changed(lambda p: p["request"].update(expires_at=1.5)), "int"),
        (changed(lambda p: p["request"].update(expires_at=True)), "int"),
        (changed(lambda p: p["request"].update(expires_at=2**63)), "int"),
        (changed(lambda p: p["request"].update(expires_at=2**62)), "datetime"),
        (changed(lambda p: p["context"].update(actor_kind="god")), "literal"),
        (changed(lambda p: p["context"].update(command_id="7")), "uuid"),
        (changed(lambda p: p["request"].update(page={"__type__": "x"})), "str"),
        (BODY.replace(b'"page":', b'"page":"666666","page":'), "canonical"),
        (BODY.replace(b'"page":', b'"page": '), "canonical"),
        (BODY.replace(b'"100001"', b'"\\u0031\\u0030\\u0030001"'), "canonical"),
        (BODY.replace(b'"record":null', b'"record":NaN'), "json"),
        (BODY.replace(b'"record":null', b'"record":' + b"9" * 10**6), "json"),
        (BODY + b" ", "canonical"),
        (BODY[:-1], "json"),
        (b"[" * 100_000 + b"]" * 100_000, "depth"),
        (b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1), "depth"),
        (b'"' + b"a" * LARGEST_REQUEST + b'"', "size"),
        (b"[" + b"{}," * 300_000 + b"{}]", "size"),  # cheap to write, dear to read
        (b"[" + b"[[[[[]]]]]," * 90_000 + b"1]", "size"),
        (b'"' + rb"\"" * 500_000, "json"),  # once took a time quadratic in its length
        (b'"' + rb"\\" * 500_000 + b'["' * 9, "json"),
        (b"\xff\xfe", "json"),
        (b"", "json"),
        (b"[]", "fields"),
    ],
)
def test_anything_else_is_refused_by_rule_and_without_its_value(
    body: bytes, rule: str
) -> None:
    with pytest.raises(Unfit) as refused:
        decode_request(SEND, body)
    assert str(refused.value) == rule


def test_a_value_of_another_type_is_never_written() -> None:
    for wrong in ("text", None, CONTEXT, SendLetter):
        with pytest.raises(Unfit):
            encode_request(SEND, wrong, CONTEXT)


def test_brackets_inside_text_are_not_depth() -> None:
    request = SendLetter(contact_id='[{"\\' * 50, page="1", sender_name="[" * 99)
    body = encode_request(SEND, request, CONTEXT)
    assert decode_request(SEND, body)[0] == request


def test_a_type_without_a_wire_form_is_refused_before_anything_runs() -> None:
    for kind in (float, object, list[str], dict[str, int], int | str):
        with pytest.raises(TypeError):
            shape_of(kind)


def test_the_wire_is_plain_json() -> None:
    assert msgspec.json.decode(BODY)["request"]["page"] == "100001"
