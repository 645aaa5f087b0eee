"""Reactions: facts answered with commands to the own service, each at least once.

Never run by a rebuild: what was done once is not done again because a list is rebuilt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from tenacity import (
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    wait_random_exponential,
)
from typing_extensions import override

from shared.errors import Fault
from shared.events import Event, Recorded
from shared.eventstore.port import EventStore, WrongVersion
from shared.following import RETRY, Cursor, Runner
from shared.readmodel import ReadModel, set_position

TRIES: Final = 5  # of a reaction, before it rests
REST: Final = 15.0  # s before a reaction that met a fault is tried again


class Reaction(Protocol):
    """Answers facts with commands to its own service. Never run by a rebuild."""

    @property
    def name(self) -> str:
        """Unique and permanent: its checkpoint goes by it."""
        ...

    @property
    def concerns(self) -> tuple[type[Event], ...]:
        """The facts it is shown."""
        ...

    def react(self, record: Recorded) -> None:
        """Act on one fact; again after a crash, so idempotent by `record.event_id`."""
        ...


class Reactor(Runner[Reaction]):
    """Runs the reactions of one service: each fact at least once, in order.

    The checkpoint is written after the reaction. A fault is retried with jitter, then
    reported and retried later; any other error stops that reaction.
    """

    def __init__(
        self,
        store: EventStore,
        readmodel: ReadModel,
        reactions: Sequence[Reaction],
        *,
        lock: Path | None = None,
    ) -> None:
        """Follow `store`; opens nothing."""
        super().__init__(store, readmodel, reactions, lock)

    @override
    def _feed(self, cursor: Cursor[Reaction], records: Sequence[Recorded]) -> None:
        reaction = cursor.work
        for record in records:
            if isinstance(record.event, reaction.concerns):
                try:
                    self._patiently(reaction, record)
                    self._reach(cursor, record.position)
                except Exception as error:  # noqa: BLE001  # reported, never skipped
                    cursor.stop(record.position, error, rest=REST)
                    return
        try:
            self._reach(cursor, records[-1].position)
        except Fault as fault:
            cursor.stop(cursor.position + 1, fault, rest=RETRY)

    def _patiently(self, reaction: Reaction, record: Recorded) -> None:
        retrying = Retrying(
            retry=retry_if_exception_type((Fault, WrongVersion)),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            sleep=sleep_using_event(self._stop),
            reraise=True,
        )
        retrying(reaction.react, record)

    def _reach(self, cursor: Cursor[Reaction], position: int) -> None:
        if position > cursor.position:
            with self._readmodel.begin() as connection:
                set_position(connection, cursor.work.name, position)
        cursor.reach(position)
