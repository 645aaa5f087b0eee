"""Who asks, as what, and under which idempotency key; and what a command answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from shared.ids import derived, mint

ActorKind = Literal["staff", "recipient", "service", "anonymous"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """Goes with every call. `command_id` is the idempotency key (UUIDv7)."""

    command_id: UUID
    correlation_id: UUID
    causation_id: UUID | None = None
    actor_id: str  # 32 hex digits for people, a service's name for services
    actor_kind: ActorKind
    role: str  # the one role used for this act, or the actor kind

    def step(self, name: str) -> CallContext:
        """Return the context of a sub-step: its own id, the same cause and actor."""
        return replace(
            self,
            command_id=derived(self.command_id, name),
            causation_id=self.command_id,
        )


def service_context(service: str, *, cause: UUID | None = None) -> CallContext:
    """Return the context of a service acting by itself, e.g. a due time.

    With `cause`, ids are derived from it, so the same cause acts once.
    """
    command_id = derived(cause, service) if cause else mint()
    return CallContext(
        command_id=command_id,
        correlation_id=cause or command_id,
        causation_id=cause,
        actor_id=service,
        actor_kind="service",
        role="service",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command was carried out; read models show it from `position` on."""

    position: int
    ref: str = ""  # id of what was made, if anything was
