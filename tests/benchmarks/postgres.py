"""Rows of the PostgreSQL adapter: one writer and 8, beside message-db's own SQL.

The peer is fetched from npm when it is measured, checked against its hash, laid out by
its own script on the same private server, and called as its manual says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg

from shared.codec import EventCodec
from shared.eventstore.coded import CodedStore
from shared.eventstore.postgres import PostgresJournal
from tests.benchmarks.appending import EACH, OFTEN, STREAM, Appender, Unsealed, crowd_of
from tests.benchmarks.lab import Lab, Line, Target, together
from tests.benchmarks.stock import a_fact, a_house, hex_of
from tests.postgres.server import NoServer, Server, private_server, programs

WRITERS: Final = 8
CALLS: Final = 25  # of each writer in a round
PEER: Final = "@eventide/message-db@1.3.1"
PEER_HASH: Final = (
    "n3hdE5YAZNXTr2HK9gG0GJ6dusgdE544LTvS+21/yOEHBvNuUzNmXXw5vS05vpe6"
    "RSuhzTRy5Wg0q7c1VfJg+A=="
)  # SHA-512 of its package, as npm gives it
DATABASE: Final = "message_store"
SINGLE: Final = "PostgreSQL, one writer, sealed"
MANY: Final = f"PostgreSQL, {WRITERS} writers, sealed"
_WRITE: Final = (
    "SELECT message_store.write_message("
    "%s::varchar, %s::varchar, %s::varchar, %s::jsonb, %s::jsonb, %s::bigint)"
)

Message = tuple[str, str, int, Any, Any]
"""Id, stream, expected version, body, metadata."""


class NoPeer(Exception):
    """The peer could not be fetched or laid out."""


def writers(lab: Lab) -> Iterator[Line]:
    """Append durably on one private server, beside `write_message` there."""
    try:
        yield from _writers(lab)
    except (NoPeer, NoServer) as error:
        sys.stderr.write(f"  no rows of PostgreSQL: {error}\n")


def _writers(lab: Lab) -> Iterator[Line]:
    room = lab.room()
    with ExitStack() as stack:
        server = stack.enter_context(private_server(under=lab.folder.parent))
        house = stack.enter_context(a_house(room, "thing"))
        server.store("ours")
        journal = PostgresJournal(server.address("ours", room))
        stack.callback(journal.close)
        store = CodedStore(journal, EventCodec("thing", house.keyring))
        lay_out(server, fetched(room))
        peers = [
            stack.enter_context(closing(Peer(server, writer)))
            for writer in range(WRITERS)
        ]
        apart = "message-db, a category each"
        least = Target(at_least=1.2)
        unsealed = CodedStore(journal, EventCodec("thing", Unsealed()))
        with lab.step(SINGLE):
            race = lab.race(
                Appender(house, store).work,
                {
                    "message-db": peers[0].write,
                    "the same, not sealed": Appender(house, unsealed, prefix="u").work,
                },
                rounds=OFTEN * lab.sizes.rounds,
            )
        yield race.line(SINGLE, EACH, "message-db", least)
        yield race.line(SINGLE, EACH, "the same, not sealed")
        with lab.step(MANY):
            race = lab.race(
                crowd_of(house, store, WRITERS, CALLS),
                {
                    apart: partial(_crowd_at, peers, own=True),
                    "message-db, one category": partial(_crowd_at, peers, own=False),
                },
            )
        yield race.line(MANY, WRITERS, apart, least)
        yield race.line(MANY, WRITERS, "message-db, one category", least)


class Peer:
    """A connection that calls message-db's `write_message`, prepared."""

    def __init__(self, server: Server, writer: int) -> None:
        """Connect; `writer` tells its streams from those of others."""
        self._writer = writer
        self._done = 0
        self._codec = EventCodec("thing", Unsealed())
        self._connection: psycopg.Connection[Any] = server.owner(DATABASE)
        self._connection.execute("SET search_path TO message_store, public")
        self._connection.prepare_threshold = 0

    def messages(self, times: int = EACH, *, category: str = "thing") -> list[Message]:
        """Return what is to be written next: the same 500 bytes as ours, not sealed."""
        made = []
        for number in range(self._done, self._done + times):
            each = self._codec.encode("thing.thing-1", a_fact(number))
            stream = f"{category}-{hex_of(number // STREAM)}{self._writer}"
            place = (str(each.event_id), stream, number % STREAM - 1)
            made.append((*place, json.loads(each.body), json.loads(each.meta)))
        self._done += times
        return made

    def write(self, messages: Sequence[Message] = ()) -> float:
        """Return the seconds that one durable message took."""
        messages = messages or self.messages()
        start = time.perf_counter()
        for event_id, stream, expected, body, meta in messages:
            told = (event_id, stream, "ThingNamed", json.dumps(body), json.dumps(meta))
            self._connection.execute(_WRITE, (*told, expected)).fetchone()
        return (time.perf_counter() - start) / len(messages)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def fetched(room: Path) -> Path:
    """Return the folder of the peer's SQL, unpacked below `room`.

    Raises:
        NoPeer: there is no npm, or it brought nothing, or something else.
    """
    npm = shutil.which("npm", path=f"{Path(sys.executable).parent}:{os.defpath}")
    npm = npm or shutil.which("npm")
    if not npm:
        raise NoPeer("npm is not installed")
    told = subprocess.run(
        [npm, "pack", "--silent", PEER],
        cwd=room, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    packed = room / told.stdout.strip()
    if told.returncode or not packed.is_file():
        message = f"npm did not bring {PEER}"
        raise NoPeer(message)
    digest = hashlib.sha512(packed.read_bytes()).digest()
    if base64.b64encode(digest).decode() != PEER_HASH:
        message = f"{PEER} is not what it was"
        raise NoPeer(message)
    with tarfile.open(packed) as archive:
        archive.extractall(room, filter="data")
    return room / "package" / "database"


def lay_out(server: Server, sql: Path) -> None:
    """Lay the peer out by its own script.

    Raises:
        NoPeer: the script failed.
    """
    told = subprocess.run(
        ["bash", sql / "install.sh"],
        env={
            "PATH": f"{programs()}:{os.defpath}",
            "PGHOST": str(server.sockets),
            "PGPORT": str(server.port),
            "PGUSER": "postgres",
            "DATABASE_NAME": DATABASE,
        },
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if told.returncode:
        message = f"its script failed: {told.stderr[-300:]}"
        raise NoPeer(message)


def _crowd_at(peers: Sequence[Peer], *, own: bool) -> float:
    messages = [
        peer.messages(CALLS, category=f"thing{number}" if own else "thing")
        for number, peer in enumerate(peers)
    ]
    taken = together(WRITERS, lambda writer: peers[writer].write(messages[writer]))
    return taken / (WRITERS * CALLS)
