"""The callee's side of a message: judge it, carry it out, answer it. No transport."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from tenacity import (
    Retrying,
    retry_if_not_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from shared.clock import Clock, micros
from shared.context import CallContext
from shared.errors import DomainError
from shared.messaging import answer
from shared.messaging.client import Patience
from shared.messaging.label import Label, Refusal
from shared.messaging.sealed import Seals, Window
from shared.messaging.wire import Operation, Unfit, decode_request, encode_result

_log = logging.getLogger(__name__)
TRIES: Final = 3  # of one message, by one process


class Guarded(Protocol):
    """Gives an api object as one caller may use it: `Gate.around`, applied."""

    def __call__(self, caller: str) -> object:
        """Return the gated api."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A message that passed the gate: genuine, in time, in form."""

    label: Label
    operation: Operation
    request: Any
    context: CallContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a message. `cause` is set if it goes to the dead letters."""

    answer: bytes
    cause: str = ""


class Desk:
    """Serves the operations of one service."""

    def __init__(
        self,
        service: str,
        operations: Mapping[str, Operation],
        guarded: Guarded,
        *,
        seals: Seals,
        window: Window,
        clock: Clock,
        patience: Patience,
    ) -> None:
        """Serve `operations` by `guarded(caller)`."""
        self._service = service
        self._operations = operations
        self._guarded = guarded
        self._seals = seals
        self._window = window
        self._clock = clock
        self._patience = patience

    def judge(self, label: Label, body: bytes, *, redelivered: bool) -> Asked:
        """Open a message and check everything about it; nothing is carried out.

        Raises:
            Refusal: with the cause; see `label_of`, `Seals.open`, `Window.admit`, and
                `operation`, `form:<rule>`, `command`.
        """
        if label.direction != "request" or label.service != self._service:
            raise Refusal("headers")
        operation = self._operations.get(label.operation)
        if operation is None:
            raise Refusal("operation")
        plain = self._seals.open(label, body)
        self._window.admit(label, redelivered=redelivered)
        try:
            request, context = decode_request(operation, plain)
        except Unfit as unfit:
            raise Refusal(f"form:{unfit}") from None
        if context.command_id != label.command_id:
            raise Refusal("command")
        return Asked(label=label, operation=operation, request=request, context=context)

    def carry_out(
        self, asked_of: Label, operation: str, request: object, context: CallContext
    ) -> object:
        """Call the operation as the caller may; faults are tried again, with jitter.

        Raises:
            DomainError: the answer is no.
            Refusal: `late`: its time ran out before it began; nothing was done.
            Exception: it failed three times, or its time ran out.
        """
        left = (asked_of.expires - micros(self._clock.now())) / 1_000_000
        if left <= 0:
            raise Refusal("late")
        method: Callable[[object, CallContext], object] = getattr(
            self._guarded(asked_of.caller), operation
        )

        def attempt() -> object:
            with self._patience.until(end - time.monotonic()):
                return method(request, context)

        end = time.monotonic() + left
        retrying = Retrying(
            retry=retry_if_not_exception_type((DomainError, AttributeError)),
            stop=stop_after_attempt(TRIES) | stop_after_delay(left),
            wait=wait_random_exponential(multiplier=0.05, max=0.5),
            reraise=True,
        )
        return retrying(attempt)

    def outcome(
        self, asked: Asked, result: object, error: BaseException | None
    ) -> Outcome:
        """Return what to answer, and whether the message goes to the dead letters."""
        if error is None:
            try:
                return Outcome(
                    answer=answer.answered(encode_result(asked.operation, result))
                )
            except Unfit as unfit:
                error = unfit
        if isinstance(error, Refusal):
            return Outcome(answer=answer.failed(), cause=error.cause)
        if not isinstance(error, DomainError):
            cause = type(error).__name__
            _log.error("%s.%s failed: %s", self._service, asked.operation.name, cause)
            return Outcome(answer=answer.failed(), cause=f"failed:{cause}")
        return Outcome(answer=answer.refused(error))

    def reply(self, asked: Asked, outcome: Outcome) -> tuple[Label, bytes]:
        """Return label and sealed body of the answer."""
        label = replace(asked.label, direction="reply")
        return label, self._seals.seal(label, outcome.answer)
