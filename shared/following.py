"""The loop under followers and reactors: read a page, work through it, wait.

Each piece of work has a cursor of its own: one that fails stops, the others go on.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

from shared.codec import UnknownFact
from shared.errors import Fault
from shared.events import Recorded
from shared.eventstore.port import PAGE, CorruptRecord, EventStore, WrongVersion
from shared.fence import Fence
from shared.readmodel import ReadModel, ReadModelBroken, Table

SLICE: Final = 0.25  # s a follower sleeps before it looks whether it shall stop
RETRY: Final = 1.0  # s before a read or a projection that met a fault is tried again
UNREADABLE: Final = (CorruptRecord, UnknownFact)
LASTING: Final = (*UNREADABLE, ReadModelBroken)  # faults that no waiting cures

_log = logging.getLogger(__name__)


class Named(Protocol):
    """A projection or a reaction: its checkpoint goes by its name."""

    @property
    def name(self) -> str:
        """Unique in its read model, and permanent."""
        ...


W = TypeVar("W", bound=Named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Where something stopped, and why. Holds nothing personal."""

    name: str  # of the projection or reaction
    position: int  # of the first fact that is not done
    cause: str  # type of the error, and its text if that is a fault
    lasting: bool  # until the program is repaired; otherwise it is tried again


@dataclass(slots=True)
class Cursor(Generic[W]):
    """How far one projection or reaction has come."""

    work: W
    position: int = 0
    failure: Failure | None = None
    rests_until: float = 0.0  # monotonic, s

    def stop(self, position: int, error: Exception, *, rest: float) -> None:
        """Note a failure at `position`; with `rest`, only for so many seconds."""
        passing = isinstance(error, Fault | WrongVersion) and not isinstance(
            error, LASTING
        )
        text = f": {error}" if isinstance(error, Fault) else ""
        self.failure = Failure(
            name=self.work.name,
            position=position,
            cause=f"{type(error).__name__}{text}",
            lasting=not passing,
        )
        self.rests_until = time.monotonic() + rest if passing else float("inf")
        _log.error("%s stopped at %d: %s", self.work.name, position, self.failure.cause)

    def reach(self, position: int) -> None:
        """Note that everything up to `position` is done."""
        self.position, self.failure = position, None


class Runner(ABC, Generic[W]):
    """What followers and reactors share: the loop, the lock, the cursors."""

    def __init__(
        self,
        store: EventStore,
        readmodel: ReadModel,
        works: Sequence[W],
        lock: Path | None,
    ) -> None:
        """Follow `store`; opens nothing."""
        self._store = store
        self._readmodel = readmodel
        self._cursors: list[Cursor[W]] = [Cursor(work) for work in works]
        self._fence = Fence(lock)
        self._prepared = False
        self._stop = threading.Event()
        self._trouble: Failure | None = None

    @property
    def failure(self) -> Failure | None:
        """The first failure that is not over, None if all is well."""
        return next(iter(self.failures), None)

    @property
    def failures(self) -> Sequence[Failure]:
        """Every failure that is not over."""
        own = [c.failure for c in self._cursors if c.failure]
        return [self._trouble, *own] if self._trouble else own

    def prepare(self) -> None:
        """Take the lock and create what is missing; call before queries are served.

        Raises:
            AlreadyFollowed: another one runs.
            ReadModelUnavailable: the database failed.
        """
        self._fence.take()
        if not self._prepared:
            self._readmodel.create(self._tables())
            for cursor in self._cursors:
                cursor.position = self._readmodel.position(cursor.work.name)
            self._prepared = True

    def run_once(self) -> int:
        """Work through one page at most; return how many steps were made, 0 at the end.

        Raises:
            Fault: the store cannot be read, or as `prepare`. Nothing is lost by it.
        """
        self.prepare()
        awake = [c for c in self._cursors if c.rests_until <= time.monotonic()]
        if not awake:
            return 0
        after = min(cursor.position for cursor in awake)
        try:
            page = read_page(self._store, after)
        except UNREADABLE as error:
            for cursor in awake:
                if cursor.position == after:
                    cursor.stop(after + 1, error, rest=0)
            return 0
        before = [cursor.position for cursor in awake]
        for cursor in awake:
            if page and page[-1].position > cursor.position:
                self._feed(cursor, [r for r in page if r.position > cursor.position])
        return sum(
            max(0, cursor.position - old)
            for cursor, old in zip(awake, before, strict=True)
        )

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop` is set; faults are waited out, and visible meanwhile."""
        self._stop = stop
        while not stop.is_set():
            try:
                if not self.run_once():
                    self._sleep()
                self._trouble = None
            except Fault as fault:
                self._wait_out(fault)

    def close(self) -> None:
        """Release the lock. Store and read model belong to whoever opened them."""
        self._fence.release()

    def _wait_out(self, fault: Fault) -> None:
        """Show that the store or the database is away, and wait a little."""
        self._trouble = Failure(
            name="store",
            position=min((c.position for c in self._cursors), default=0) + 1,
            cause=f"{type(fault).__name__}: {fault}",
            lasting=isinstance(fault, LASTING),
        )
        _log.warning("follower waits: %s", self._trouble.cause)
        self._stop.wait(RETRY)

    def _sleep(self) -> None:
        now = time.monotonic()
        awake = [c.position for c in self._cursors if c.rests_until <= now]
        if awake:
            self._store.wait(min(awake), SLICE)
        else:
            self._stop.wait(SLICE)

    def _tables(self) -> Sequence[Table]:
        return ()

    @abstractmethod
    def _feed(self, cursor: Cursor[W], records: Sequence[Recorded]) -> None:
        """Work through `records`, noting in `cursor` how far it went; do not raise."""


class FollowerThread:
    """Runs a follower or reactor beside the program, in the embedded profile."""

    def __init__(self, follower: Runner[Any], name: str = "follower") -> None:
        """Prepare a thread called `name`; it does not run yet."""
        self._follower = follower
        self._halt = threading.Event()
        self._thread = threading.Thread(
            target=follower.run, args=(self._halt,), name=name, daemon=True
        )

    def start(self) -> None:
        """Prepare the follower, here and now, then follow.

        Raises:
            Fault: as `Follower.prepare`.
        """
        self._follower.prepare()
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Let it finish its page, at most `timeout` s, and release its lock."""
        self._halt.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if not self._thread.is_alive():
            self._follower.close()

    @property
    def running(self) -> bool:
        """Tell whether it follows; False before, after, and if it broke down."""
        return self._thread.is_alive()


def read_page(store: EventStore, after: int, limit: int = PAGE) -> Sequence[Recorded]:
    """Return facts after `after`; fewer if one of the page cannot be read.

    Raises:
        CorruptRecord, UnknownFact: the very next one cannot be read.
        StoreUnavailable: the store failed.
    """
    while True:
        try:
            return store.read_all(after, limit)
        except UNREADABLE:
            if limit == 1:
                raise
            limit = max(1, limit // 8)
