"""Which fact of a stream has which id, as far as this process has read or written it.

The server compares ids only when versions do not match. A command that is repeated
after its stream was loaded anew expects the right version, and would be written twice.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from shared.eventstore.port import NO_STREAM

KEPT: Final = 50_000  # ids, of the streams last used


@dataclass(slots=True)
class Ids:
    """The ids of a stream's facts from its first to `version`, without a gap.

    Only ever added to: who holds it may rely on it, kept or forgotten.
    """

    version: int = NO_STREAM
    kept: bool = True
    places: dict[UUID, int] = field(default_factory=dict)  # version by id

    def among(self, ids: Iterable[UUID]) -> Mapping[UUID, int]:
        """Return the versions of those of `ids` that are known to be in the stream."""
        return {each: self.places[each] for each in ids if each in self.places}


class KnownIds:
    """Remembers the ids of whole beginnings of streams; safe for threads."""

    def __init__(self, kept: int = KEPT) -> None:
        """Remember `kept` ids at most, and always the stream last used."""
        self._kept = kept
        self._lock = threading.Lock()
        self._streams: OrderedDict[str, Ids] = OrderedDict()
        self._count = 0

    def of(self, stream: str) -> Ids:
        """Return what is known of `stream`, now the one last used."""
        with self._lock:
            known = self._streams.setdefault(stream, Ids())
            self._streams.move_to_end(stream)
            while self._count > self._kept and len(self._streams) > 1:
                _, oldest = self._streams.popitem(last=False)
                self._count -= len(oldest.places)
                oldest.kept = False
            return known

    def note(self, known: Ids, first: int, ids: Iterable[UUID]) -> None:
        """Add to `known` that `ids` stand from version `first` on.

        What is known already is passed over; what leaves a gap is not remembered.
        """
        with self._lock:
            for version, each in enumerate(ids, start=first):
                if version == known.version + 1:
                    known.places[each] = version
                    known.version = version
                    self._count += known.kept
