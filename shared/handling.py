"""The three moves of every command: load, decide, append. Idempotent and bounded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Generic, TypeVar
from uuid import UUID

from shared.clock import EPOCH, Clock
from shared.context import CallContext, Done
from shared.errors import Malformed
from shared.events import Event, NewEvent, Recorded, Sealed, drafted, event_id_of
from shared.eventstore.port import NO_STREAM, Appended, EventStore
from shared.retry import on_conflict

S = TypeVar("S")
KEPT: Final = 512  # streams whose state is kept between commands


@dataclass(slots=True)
class Loaded(Generic[S]):
    """A stream folded to its state, and what a writer must know about it."""

    state: S
    version: int = NO_STREAM
    position: int = 0
    at: datetime = EPOCH  # when its last fact was stamped
    # event id -> position: only ever added to, so loads of one stream share it
    written: dict[UUID, int] = field(default_factory=dict)
    writers: dict[UUID, str] = field(default_factory=dict)  # event id -> actor


class Aggregates(Generic[S]):
    """Runs commands against the streams of one kind of aggregate.

    The folded state of recent streams is kept, with what is appended here, and only
    what others appended is read: a command on a long stream costs what is new in it.
    The store alone decides who was first.
    """

    def __init__(
        self,
        store: EventStore,
        clock: Clock,
        initial: S,
        evolve: Callable[[S, Event], S],
    ) -> None:
        """Fold with `evolve` from `initial`; write nothing yet."""
        self._store = store
        self._clock = clock
        self._initial = initial
        self._evolve = evolve
        self._kept: OrderedDict[str, Loaded[S]] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, stream: str) -> Loaded[S]:
        """Return the stream's present state; the initial one if it has no facts."""
        with self._lock:
            kept = self._kept.get(stream)
            loaded = (
                Loaded(
                    state=kept.state,
                    version=kept.version,
                    position=kept.position,
                    at=kept.at,
                    written=kept.written,
                    writers=kept.writers,
                )
                if kept
                else Loaded(state=self._initial)
            )
        tail = list(self._store.read(stream, after=loaded.version))
        if tail:
            self._fold(loaded, tail)
        self._keep(stream, loaded)
        return loaded

    def run(
        self,
        stream: str,
        context: CallContext,
        decide: Callable[[S, datetime], Sequence[Event]],
        *,
        ref: str = "",
        begins: Callable[[datetime], Sequence[Event]] | None = None,
    ) -> Done:
        """Carry out one command: the first result again if it ran before.

        `begins`, for a command that makes the stream, gives the facts that follow from
        the request alone. By them a repeat is told from a used command id, so nobody is
        shown an old thing for the new one they asked for.

        A lost race is decided anew against the newer state, a bounded number of times.
        A decision without facts changes nothing and answers the stream's position.

        Raises:
            DomainError: as `decide` raises, or `WrongVersion` under lasting contention.
            Malformed: the command id was used by somebody else, whose result is theirs;
                or, with `begins`, for something else.
        """

        def attempt() -> Done:
            loaded = self.load(stream)
            event_id = event_id_of(context, stream, 0)
            first = loaded.written.get(event_id)
            if first is not None:
                if loaded.writers[event_id] != context.actor_id:
                    raise Malformed("The command id was used by somebody else.")
                if begins is not None:
                    self._refuse_other(stream, begins)
                return Done(position=first, ref=ref)
            at = max(self._clock.now(), loaded.at)
            facts = decide(loaded.state, at)
            if not facts:
                return Done(position=loaded.position, ref=ref)
            drafts = drafted(facts, context, at=at, stream=stream)
            appended = self._store.append(stream, drafts, expected=loaded.version)
            if appended.fresh:  # else what stands there may differ from these facts
                self._keep(stream, self._grown(stream, loaded, drafts, appended))
            return Done(position=appended.position, ref=ref)

        return on_conflict(attempt)

    def _refuse_other(
        self, stream: str, begins: Callable[[datetime], Sequence[Event]]
    ) -> None:
        first = next(iter(self._store.read(stream)))
        told = [getattr(first.event, name) for name in first.event.personal]
        if any(isinstance(value, Sealed) for value in told):
            return  # erased since: there is nothing left to compare
        if begins(first.recorded_at)[:1] != [first.event]:
            raise Malformed("This form was used already; open a new one.")

    def _keep(self, stream: str, loaded: Loaded[S]) -> None:
        with self._lock:
            self._kept[stream] = loaded
            self._kept.move_to_end(stream)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _grown(
        self,
        stream: str,
        loaded: Loaded[S],
        drafts: Sequence[NewEvent],
        appended: Appended,
    ) -> Loaded[S]:
        """Return what loading again would give, without reading what was written."""
        grown = replace(loaded)
        before = appended.position - len(drafts)
        written = [
            Recorded(
                event=draft.event,
                event_id=draft.event_id,
                stream=stream,
                version=loaded.version + number,
                position=before + number,
                meta=draft.meta,
                body=b"",  # nothing that folds looks at the stored form
            )
            for number, draft in enumerate(drafts, start=1)
        ]
        self._fold(grown, written)
        return grown

    def _fold(self, loaded: Loaded[S], tail: Sequence[Recorded]) -> None:
        for record in tail:
            loaded.state = self._evolve(loaded.state, record.event)
            loaded.written[record.event_id] = record.position
            loaded.writers[record.event_id] = record.meta.actor
        last = tail[-1]
        loaded.version, loaded.position = last.version, last.position
        loaded.at = max(loaded.at, last.recorded_at)
