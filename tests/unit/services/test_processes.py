"""What a process shows to whoever looks at it from beside."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from typing_extensions import override

from deploy.image.probe import SOCKETS, stands_still
from services.processes import watch
from shared.codec import EventCodec
from shared.errors import Fault
from shared.events import Recorded
from shared.eventstore.coded import CodedStore
from shared.eventstore.memory import MemoryJournal
from shared.eventstore.port import NO_STREAM
from shared.follow import Follower
from shared.readmodel import Connection, ReadModel, open_readmodel
from tests.builders import new
from tests.projections import Things
from tests.waiting import until


class Fails(Things):
    """Cannot digest any fact."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    @override
    def apply(self, connection: Connection, record: Recorded) -> None:
        raise self.error


def shown() -> bool:
    return stands_still(SOCKETS.read_text())


@pytest.mark.parametrize("error", [ValueError("one"), Fault("away")], ids=repr)
def test_only_what_stands_still_for_good_is_shown(
    tmp_path: Path, error: Exception
) -> None:
    store = CodedStore(MemoryJournal(), EventCodec("thing"))
    readmodel = ReadModel(open_readmodel(tmp_path / "things.db"))
    follower = Follower(store, readmodel, [Fails(error)])
    halt = threading.Event()
    thread = threading.Thread(target=follower.run, args=(halt,))
    with ExitStack() as stack:
        stack.callback(readmodel.close)
        watch([follower], stack)
        thread.start()
        stack.callback(thread.join)
        stack.callback(halt.set)
        assert not shown()
        store.append("thing.thing-t1", [new()], expected=NO_STREAM)
        failure = until(lambda: follower.failure, "the failure")
        if failure.lasting:
            until(shown, "the flag")
        assert failure.lasting is shown() is isinstance(error, ValueError)
    assert not shown()
