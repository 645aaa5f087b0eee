"""Where a benchmark runs, and what it finds: interleaved rounds, medians, growth."""

from __future__ import annotations

import math
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

Work = Callable[[], float]
"""Does one round of something; returns the seconds that one operation took."""

MICRO: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a ratio has to be; None where there is nothing to compare with a promise."""

    at_least: float | None = None  # ours is so many times as fast
    at_most: float | None = None  # ours costs so many times as much

    def holds(self, ratio: float) -> bool:
        """Say whether `ratio` reaches the target; true if there is none."""
        if self.at_least is not None:
            return ratio >= self.at_least
        return self.at_most is None or ratio <= self.at_most

    def text(self) -> str:
        """Return the target as it is printed."""
        if self.at_least is not None:
            return f">= {self.at_least:g} x"
        return "" if self.at_most is None else f"<= {self.at_most:g} x"


FASTER: Final = Target()  # a ratio of speeds without a promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure beside its peer's, at one size."""

    row: str
    size: int
    unit: str  # of both figures
    ours: float
    peer: str
    theirs: float
    ratio: float
    target: Target = FASTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything: x1, x10, x100."""

    events: tuple[int, int, int]
    history: tuple[int, int, int] = (10, 100, 1_000)  # events of one aggregate
    rows: tuple[int, int, int]  # of a message list
    letters: tuple[int, int, int] = (4, 40, 400)  # sent, each to another person
    visits: tuple[int, int, int]  # openings of an envelope over HTTP
    loaded: float  # s of each load
    rounds: int


QUICK: Final = Sizes(
    events=(100, 1_000, 10_000),
    rows=(100, 1_000, 10_000),
    letters=(1, 8, 80),
    visits=(1, 10, 100),
    loaded=1.0,
    rounds=5,
)
USUAL: Final = Sizes(
    events=(1_000, 10_000, 100_000),
    rows=(1_000, 10_000, 100_000),
    visits=(4, 40, 400),
    loaded=4.0,
    rounds=15,
)
FULL: Final = Sizes(
    events=(10_000, 100_000, 1_000_000),
    rows=(100_000, 1_000_000, 10_000_000),
    visits=(20, 200, 2_000),
    loaded=15.0,
    rounds=25,
)


@dataclass(slots=True)
class Lab:
    """A folder to work in, and how much is asked for."""

    folder: Path
    sizes: Sizes
    _folders: int = 0

    def room(self) -> Path:
        """Return a new empty folder."""
        self._folders += 1
        path = self.folder / str(self._folders)
        path.mkdir(mode=0o700)
        return path

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say on standard error what is being measured, and how long it took."""
        sys.stderr.write(f"  {what} ... ")
        sys.stderr.flush()
        start = time.perf_counter()
        yield
        sys.stderr.write(f"{time.perf_counter() - start:.1f} s\n")

    def race(
        self, ours: Work, peers: Mapping[str, Work], *, rounds: int | None = None
    ) -> Race:
        """Let `ours` and `peers` take turns, round after round."""
        works = {"": ours, **peers}
        for work in works.values():
            work()  # nobody is measured cold
        taken: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(rounds or self.sizes.rounds):
            for name, work in works.items():
                taken[name].append(work())
        return Race(taken)


@dataclass(frozen=True, slots=True)
class Race:
    """Seconds an operation took in each round; "" is ours."""

    taken: Mapping[str, Sequence[float]]

    def median(self, name: str = "") -> float:
        """Return the median of all rounds, in seconds."""
        return statistics.median(self.taken[name])

    def speed(self, peer: str) -> float:
        """Return how many times as fast ours is: the median over paired rounds.

        What else runs on the machine hits both sides of a pair alike.
        """
        pairs = zip(self.taken[peer], self.taken[""], strict=True)
        return statistics.median(theirs / mine for theirs, mine in pairs)

    def line(self, row: str, size: int, peer: str, target: Target = FASTER) -> Line:
        """Return the figures against one peer, in microseconds."""
        speed = self.speed(peer)
        return Line(
            row=row,
            size=size,
            unit="us",
            ours=self.median() * MICRO,
            peer=peer,
            theirs=self.median(peer) * MICRO,
            ratio=speed if target.at_most is None else 1 / speed,
            target=target,
        )


def growth(lines: Sequence[Line]) -> float | None:
    """Return the exponent k of cost ~ size**k over the sizes; 0 is flat, 1 linear."""
    costs = {line.size: line.ours for line in lines}
    points = [(math.log(size), math.log(cost)) for size, cost in costs.items()]
    if len(points) < 2:
        return None
    slope, _ = statistics.linear_regression(*zip(*points, strict=True))
    return slope


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def agree(found: int, expected: int) -> None:
    """Refuse to measure a work that did not do what it was to do.

    Raises:
        ValueError: the numbers differ.
    """
    if found != expected:
        message = f"{found} instead of {expected}: nothing was measured"
        raise ValueError(message)


def together(callers: int, call: Callable[[int], None]) -> float:
    """Return the seconds until `call(number)` is done for each caller, begun at once.

    Raises:
        Exception: what the first call to fail raised.
    """
    gate = threading.Barrier(callers + 1)
    failed: list[Exception] = []

    def go(caller: int) -> None:
        gate.wait()
        try:
            call(caller)
        except Exception as error:  # noqa: BLE001  # raised below
            failed.append(error)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    gate.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return time.perf_counter() - start
