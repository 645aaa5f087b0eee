"""What must hold of any data folder, whatever happened to it (I1, I5, I6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import LargeBinary, Table, select

from services.audit.tables import TRAIL
from services.compose import Core, Followed
from shared.codec import EventCodec
from shared.crypto.kek import Keks
from shared.crypto.keyring import Keyring
from shared.crypto.seal import place_of_row
from shared.crypto.tombstones import Tombstones
from shared.events import Recorded
from shared.eventstore.coded import CodedStore
from shared.eventstore.sqlite import SqliteJournal
from shared.follow import Projection
from shared.readmodel import Connection, ReadModel, open_readmodel
from shared.rebuild import head_of, rebuild
from shared.settings import DataFolder
from tests.journeys.judge import all_facts
from tests.waiting import LONG


def facts_in(folder: DataFolder) -> list[Recorded]:
    """Return every fact in a folder, also while or after a process used it."""
    journal = SqliteJournal(folder.store)
    try:
        return all_facts(CodedStore(journal, EventCodec("none")))
    finally:
        journal.close()


def catch_up(core: Core) -> None:
    """Bring every read model up to the last fact, here or by its own follower."""
    head = head_of(core.store)
    for part in core.followed:
        names = [projection.name for projection in part.projections]
        assert part.readmodel.await_position(head, *names, timeout=LONG), part.service


def follow_to_the_end(core: Core) -> None:
    """Run every follower of a core that nobody else follows, until nothing is left."""
    followers = core.followers()
    for follower in followers:
        follower.prepare()
    while sum(follower.run_once() for follower in followers):
        pass
    for follower in followers:
        assert follower.failure is None, follower.failure
        follower.close()


def unlike_a_rebuild(core: Core, scratch: Path) -> list[str]:
    """Return the tables whose rows are not what a rebuild from the facts gives (I6).

    What is sealed is compared opened: each sealing has a nonce of its own.
    """
    found: list[str] = []
    for part in core.followed:
        with _keyring(core.settings.folder, part.service) as keyring:
            for projection in part.projections:
                found += _unlike(part, projection, keyring, scratch)
    return found


def _unlike(
    part: Followed, projection: Projection, keyring: Keyring, scratch: Path
) -> list[str]:
    again = ReadModel(open_readmodel(scratch / f"{projection.name}.db"))
    try:
        rebuild(part.store, again, projection, lambda *_: None)
        with part.readmodel.connect() as live, again.connect() as anew:
            return [
                table.name
                for table in projection.tables
                if _rows(live, table, keyring) != _rows(anew, table, keyring)
            ]
    finally:
        again.close()


def _rows(connection: Connection, table: Table, keyring: Keyring) -> list[str]:
    sealed = [c.name for c in table.columns if isinstance(c.type, LargeBinary)]
    rows = [dict(row._mapping) for row in connection.execute(select(table))]
    for row in rows:
        for name in sealed:
            row[name] = _opened(row, table, name, keyring)
    return sorted(repr(sorted(row.items())) for row in rows)


def _opened(row: dict[str, Any], table: Table, name: str, keyring: Keyring) -> Any:
    if row[name] is None:
        return None
    key = row[next(iter(table.primary_key.columns)).name]
    place = place_of_row(table.name, key, name)
    return keyring.unseal_value(row["contact_id"], place, row[name])


@contextmanager
def _keyring(folder: DataFolder, service: str) -> Iterator[Keyring]:
    keks = Keks(folder.keys)
    tombstones = Tombstones(folder.tombstones, keks)
    keyring = Keyring(service, folder.key_db(service), keks=keks, tombstones=tombstones)
    try:
        yield keyring
    finally:
        keyring.close()


def wrong_with_the_trail(core: Core, facts: Sequence[Recorded]) -> list[str]:
    """Return what is not exactly once on the trail, in order and gap-free (I5)."""
    part = next(part for part in core.followed if part.service == "audit")
    with part.readmodel.connect() as connection:
        rows = connection.execute(select(TRAIL).order_by(TRAIL.c.position)).all()
    told = [(row.position, row.event_id, row.event) for row in rows]
    stored = [(f.position, str(f.event_id), f.event.type_name) for f in facts]
    wrongs = [] if told == stored else ["the trail is not the store"]
    counted: dict[str, int] = {}
    for row in rows:
        if row.contact is not None:
            counted[row.contact] = counted.get(row.contact, 0) + 1
            if row.contact_seq != counted[row.contact]:
                wrongs.append(f"{row.position}: {row.contact_seq} of its contact")
    return wrongs
