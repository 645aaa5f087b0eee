"""The gate around every `api` object: who may ask what, and refusals as evidence.

A page, an RPC and an embedded call pass the same gate. It knows no service; compose
hands it the rules of `services/policy.py`.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar, cast

from typing_extensions import override

from shared.clock import Clock
from shared.context import CallContext, service_context
from shared.errors import ActorNotAllowed, DomainError, NotAllowed
from shared.events import drafted
from shared.eventstore.port import NO_STREAM, EventStore, WrongVersion
from shared.refusals import Refused

_log = logging.getLogger(__name__)
T = TypeVar("T")
FORBIDDEN: Final = 403
_ID: Final = re.compile(r"[0-9a-f]{32}|[0-9]{6}")  # of people and envelopes; of pages
_PERSON: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may call one operation.

    `writes` tells commands from queries: of a query only refusals of right (status 403)
    become evidence, of a command every refusal does.
    """

    callers: frozenset[str]
    roles: frozenset[str]
    writes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """As whom a caller may ask, of one kind of actor."""

    roles: frozenset[str]
    names: frozenset[str]  # of actors; if empty, the id of any person

    def suits(self, context: CallContext) -> bool:
        """Say whether actor and role are among these."""
        name = context.actor_id
        known = name in self.names if self.names else bool(_PERSON.fullmatch(name))
        return known and context.role in self.roles


class Gate:
    """Guards the operations of one service."""

    def __init__(
        self,
        service: str,
        rules: Mapping[str, Rule],
        store: EventStore,
        clock: Clock,
        *,
        fronts: frozenset[str],
        voices: Mapping[tuple[str, str], Voice],
    ) -> None:
        """Guard by `rules`, operation -> rule; write refusals to `store`.

        `fronts` are the callers that speak for people: portal and viewer. `voices` says
        for whom a caller speaks: caller and kind of actor -> voice; for no other.
        """
        self._service = service
        self._fronts = fronts
        self._rules = rules
        self._voices = voices
        self._store = store
        self._clock = clock

    def around(self, api: T, *, caller: str) -> T:
        """Return `api` as `caller` (a service's name) may use it.

        Every call raises ActorNotAllowed unless the caller speaks for the actor of the
        context, and NotAllowed unless the rule names both the caller and the role; an
        operation without a rule is refused to all. A DomainError is recorded as
        `Refused`, then raised as it was.
        """
        return cast(T, _Gated(self, api, caller))

    def call(
        self,
        operation: str,
        caller: str,
        method: Callable[[object, CallContext], object],
        request: object,
        context: CallContext,
    ) -> object:
        """Carry out one guarded call."""
        voice = self._voices.get((caller, context.actor_kind))
        if voice is None or not voice.suits(context):
            self._record_stranger(operation, caller)
            raise ActorNotAllowed
        rule = self._rules.get(operation)
        try:
            if (
                rule is None
                or caller not in rule.callers
                or context.role not in rule.roles
            ):
                raise NotAllowed
            return method(request, context)
        except WrongVersion:
            raise
        except DomainError as refusal:
            if self._is_evidence(rule, caller, refusal):
                self._record(operation, refusal, request, context)
            raise

    def _is_evidence(
        self, rule: Rule | None, caller: str, refusal: DomainError
    ) -> bool:
        if rule is None or isinstance(refusal, NotAllowed):
            return True
        # Inside a person's request the outermost operation is the one refused; what a
        # service asked of another on the way is not told twice.
        return caller in self._fronts and (
            rule.writes or refusal.http_status == FORBIDDEN
        )

    def _record(
        self,
        operation: str,
        refusal: DomainError,
        request: object,
        context: CallContext,
    ) -> None:
        event = Refused(
            operation=operation,
            reason=refusal.code,
            contact_id=_text(request, "contact_id"),
            envelope_id=_text(request, "envelope_id"),
            page=_text(request, "page"),
        )
        at = self._clock.now()
        # One line a minute for the same refusal: nobody fills the trail by hammering.
        # Of callers without a sign-in only the operation counts.
        parts = [operation, refusal.code, str(int(at.timestamp()) // 60)]
        if context.actor_kind in ("staff", "service"):
            parts += [context.actor_id, str(event)]
        self._tell(event, parts, context, at)

    def _record_stranger(self, operation: str, caller: str) -> None:
        """Hold the caller to it, once a minute; nothing it claimed is believed."""
        event = Refused(operation=operation, reason=ActorNotAllowed.code)
        at = self._clock.now()
        parts = [caller, ActorNotAllowed.code, str(int(at.timestamp()) // 60)]
        if self._tell(event, parts, service_context(caller), at):
            asked = f"{self._service}.{operation}"
            _log.error("%s asked %s for an actor it does not speak for", caller, asked)

    def _tell(
        self, event: Refused, parts: list[str], context: CallContext, at: datetime
    ) -> bool:
        """Write a line; False, and nothing is, if there is one of the same `parts`."""
        name = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
        stream = f"{self._service}.refusal-{name}"
        with suppress(WrongVersion):  # this minute has its line already
            self._store.append(
                stream,
                drafted([event], context, at=at, stream=stream),
                expected=NO_STREAM,
            )
            return True
        return False


class _Gated:
    """Stands in for an api object; every attribute is a guarded method of it."""

    def __init__(self, gate: Gate, api: object, caller: str) -> None:
        self._gate = gate
        self._api = api
        self._caller = caller

    def __getattr__(self, operation: str) -> Callable[[object, CallContext], object]:
        method: Callable[[Any, CallContext], object] = getattr(self._api, operation)

        def guarded(request: object, context: CallContext) -> object:
            return self._gate.call(operation, self._caller, method, request, context)

        return guarded

    @override
    def __repr__(self) -> str:
        return f"<gate to {type(self._api).__name__} for {self._caller}>"


def _text(request: object, name: str) -> str | None:
    """Return an id the request names; whatever else was typed there is not kept."""
    value = getattr(request, name, None)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None
