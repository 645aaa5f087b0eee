"""A sealer for tests: no secrecy, but bound to owner and place, and destroyable."""

from __future__ import annotations

from shared.codec import Place
from shared.events import Sealed
from shared.eventstore.port import CorruptRecord


class PlainSealer:
    """Seals by writing owner and place before the value, reversed."""

    def __init__(self) -> None:
        self.destroyed: set[str] = set()

    def seal(self, owner: str, place: Place, plain: bytes) -> Sealed:
        return Sealed(key_id=owner, box=(_label(owner, place) + plain)[::-1])

    def unseal(self, owner: str, place: Place, sealed: Sealed) -> bytes | None:
        if owner in self.destroyed:
            return None
        opened, label = sealed.box[::-1], _label(owner, place)
        if not opened.startswith(label):
            message = f"{place.field} was moved or altered"
            raise CorruptRecord(message)
        return opened.removeprefix(label)


def _label(owner: str, place: Place) -> bytes:
    where = f"{owner}|{place.stream}|{place.event_id}|{place.type_name}|{place.field}|"
    return where.encode()
