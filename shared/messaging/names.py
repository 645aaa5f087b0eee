"""How exchanges and queues are called; fixed, and without a business word."""

from __future__ import annotations

from typing import Final

ASK: Final = "ask"  # topic: <service>.<operation>; who may ask what is the broker's
#                     business as well, by topic permissions
REPLY: Final = "reply"  # topic: the name of the answer's queue
HINTS: Final = "hints"  # topic: MOVED
DEAD: Final = "dead"  # fanout, and the queue behind it
MOVED: Final = "moved"
DELIVERIES: Final = 5  # times a message may bring its reader down
WAITING: Final = 10_000  # messages a service may have before it, then it is "busy"
GRAVES: Final = 10_000  # dead letters kept, then burying fails and is alarmed
HEAPED: Final = 64 * 1024 * 1024  # bytes of bodies that one queue may hold
LOOKS: Final = 1_000_000  # times a dead letter may be looked at
LINES: Final = 128  # connections of one user; measured, a process has about twenty
QUEUES: Final = 1_000  # of all users together
FORSAKEN: Final = 600_000  # ms after which a queue of answers that nobody reads is gone


def queue_of(service: str) -> str:
    """Return the queue of questions to a service."""
    return f"ask.{service}"


def own_queue(kind: str, user: str, name: str) -> str:
    """Return the name of a queue that one process keeps to itself."""
    return f"{kind}.{user}.{name}"
