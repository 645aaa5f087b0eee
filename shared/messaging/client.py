"""Another service's `api`, spoken to over a carrier as if it were an object here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import msgspec
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)
from typing_extensions import override

from shared.clock import Clock, micros
from shared.context import CallContext
from shared.errors import BY_CODE, DomainError, Fault
from shared.ids import mint
from shared.messaging.answer import ANSWERED, FAILED, REFUSED
from shared.messaging.label import Label, Refusal
from shared.messaging.port import Carrier, Unreachable
from shared.messaging.sealed import Seals
from shared.messaging.wire import (
    Operation,
    Unfit,
    decode_result,
    encode_request,
    operations_of,
)

TRIES: Final = 3
PATIENCE: Final = 10.0  # s for one call, all tries together


class RemoteFault(Fault):
    """Another service could not do it now; nothing was half done."""


class Patience:
    """How long the work at hand may still take, so that calls within calls end in time.

    Each thread has its own.
    """

    def __init__(self, span: float = PATIENCE) -> None:
        """Allow `span` seconds to work that is under no deadline."""
        self._span = span
        self._local = threading.local()

    @contextmanager
    def until(self, left: float) -> Iterator[None]:
        """Put what this thread does inside under a deadline `left` seconds from now."""
        before = getattr(self._local, "deadline", None)
        self._local.deadline = time.monotonic() + left
        try:
            yield
        finally:
            self._local.deadline = before

    def left(self) -> float:
        """Return the seconds that a call may take; may be negative."""
        deadline = getattr(self._local, "deadline", None)
        if deadline is None:
            return self._span
        return min(self._span, float(deadline) - time.monotonic())


class Client:
    """Asks other services on behalf of one caller."""

    def __init__(
        self,
        caller: str,
        carrier: Carrier,
        seals: Seals,
        clock: Clock,
        patience: Patience,
    ) -> None:
        """Speak as `caller`; connects when first used."""
        self._caller = caller
        self._carrier = carrier
        self._seals = seals
        self._clock = clock
        self._patience = patience

    def of(self, protocol: type, service: str) -> Any:
        """Return the operations of `service`: an object of its `api` Protocol.

        A refusal there is raised here as the same DomainError; a fault as RemoteFault;
        no answer in time as Unreachable. A broken line is tried again, which is safe:
        operations are idempotent by command id.

        Raises:
            TypeError: an operation's types cannot go over the wire.
        """
        return _Remote(self, service, operations_of(protocol))

    def call(
        self, service: str, operation: Operation, request: object, context: CallContext
    ) -> object:
        """Carry out one call."""
        plain = encode_request(operation, request, context)
        end = time.monotonic() + self._patience.left()

        def attempt() -> bytes:
            left = end - time.monotonic()
            if left <= 0:
                message = f"{service} did not answer in time"
                raise RemoteFault(message)
            return self._ask(service, operation.name, plain, context, left)

        answer = Retrying(
            retry=retry_if_exception_type(Unreachable),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=0.05, max=1),
            reraise=True,
        )(attempt)
        return _opened(service, operation, answer)

    def _ask(
        self,
        service: str,
        operation: str,
        plain: bytes,
        context: CallContext,
        left: float,
    ) -> bytes:
        with self._carrier.line() as line:
            label = Label(
                direction="request",
                caller=self._caller,
                service=service,
                operation=operation,
                message_id=mint(),
                command_id=context.command_id,
                expires=micros(self._clock.now() + timedelta(seconds=left)),
                reply_to=line.address,
            )
            answered, body = line.ask(label, self._seals.seal(label, plain), left)
        expected = Label(
            direction="reply",
            caller=label.caller,
            service=label.service,
            operation=label.operation,
            message_id=label.message_id,
            command_id=label.command_id,
            expires=label.expires,
            reply_to=label.reply_to,
        )
        if answered != expected:
            message = f"{service} gave an answer to something else"
            raise RemoteFault(message)
        try:
            return self._seals.open(expected, body)
        except Refusal:
            message = f"the answer of {service} is not genuine"
            raise RemoteFault(message) from None


def _opened(service: str, operation: Operation, answer: bytes) -> object:
    kind, body = answer[:1], answer[1:]
    try:
        if kind == ANSWERED:
            return decode_result(operation, body)
        if kind == REFUSED:
            code, detail = msgspec.json.decode(body, type=tuple[str, str])
            raise BY_CODE.get(code, DomainError)(detail)
    except (Unfit, msgspec.MsgspecError):
        kind = b""
    message = (
        f"{service} could not do it now"
        if kind == FAILED
        else f"{service} gave an answer that cannot be read"
    )
    raise RemoteFault(message)


class _Remote:
    """Stands in for an api object; every attribute is one of its operations."""

    def __init__(
        self, client: Client, service: str, operations: Mapping[str, Operation]
    ) -> None:
        self._client = client
        self._service = service
        self._operations = operations

    def __getattr__(self, name: str) -> Callable[[object, CallContext], object]:
        operation = self._operations.get(name)
        if operation is None:
            raise AttributeError(name)

        def ask(request: object, context: CallContext) -> object:
            return self._client.call(self._service, operation, request, context)

        return ask

    @override
    def __repr__(self) -> str:
        return f"<{self._service}, over the wire>"
