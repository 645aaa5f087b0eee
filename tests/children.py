"""Processes that tests start to kill, starve and race (`python -m tests.children`)."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.codec import EventCodec
from shared.eventstore.coded import CodedStore
from shared.eventstore.port import (
    NO_STREAM,
    PAGE,
    Journal,
    StoreUnavailable,
    WrongVersion,
)
from shared.eventstore.postgres import Address, PostgresJournal
from shared.eventstore.sqlite import SqliteJournal
from shared.follow import Follower
from shared.readmodel import ReadModel, open_readmodel
from tests.builders import raw
from tests.projections import Things
from tests.waiting import LONG

ROOT = Path(__file__).parent.parent


def child(*words: str | Path) -> subprocess.Popen[str]:
    """Start a child that does what the words say; its lines are on `stdout`."""
    return subprocess.Popen(  # our own words
        [sys.executable, "-m", "tests.children", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def say(*words: object) -> None:
    """Tell the parent, at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def append(path: Path, stream: str) -> None:
    """Append to `stream` for ever; say each id once it is acknowledged."""
    journal = SqliteJournal(path)
    version = NO_STREAM
    while True:
        event = raw(size=300)
        version = journal.append(stream, [event], expected=version).version
        say(event.event_id.hex)


def race(journal: Journal, rounds: int) -> None:
    """Try to be first at each version of stream "a"; say which were won."""
    for version in range(rounds):
        try:
            journal.append("a", [raw()], expected=version - 1)
        except WrongVersion:
            continue
        say(version)
    journal.close()


def starve(path: Path) -> None:
    """Fill the disk (a limit on file size), then get space again."""
    journal = SqliteJournal(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    kept, refused, version = [], 0, NO_STREAM
    for _ in range(400):
        event = raw(size=900)
        try:
            version = journal.append("a", [event], expected=version).version
            kept.append(event.event_id)
        except StoreUnavailable:
            refused += 1
    stored = [record.event_id for record in journal.read_all(0, PAGE)]
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    event = raw()
    journal.append("a", [event], expected=version)
    after = [record.event_id for record in journal.read_all(0, PAGE)]
    say(len(kept), refused, stored == kept, after == [*kept, event.event_id])
    journal.close()


def follow(store_path: Path, model_path: Path) -> None:
    """Mirror the store into a read model until killed."""
    store = CodedStore(SqliteJournal(store_path), EventCodec("thing"))
    follower = Follower(store, ReadModel(open_readmodel(model_path)), [Things()])
    say("ready")
    while True:
        follower.run_once()


def main(words: Sequence[str]) -> None:
    """Do what the words say."""
    match words:
        case ["append", path, stream]:
            append(Path(path), stream)
        case ["race", path, rounds]:
            race(SqliteJournal(Path(path)), int(rounds))
        case ["race-postgres", uri, account, rounds]:
            address = Address.from_uri(uri, credentials=Path(account))
            race(PostgresJournal(address, patience=LONG), int(rounds))
        case ["starve", path]:
            starve(Path(path))
        case ["follow", store_path, model_path]:
            follow(Path(store_path), Path(model_path))
        case _:
            os._exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
