"""One connection to a server. Every wait on it has an end.

libpq is driven directly: statements are prepared once, and values travel as bytes
beside them, never inside.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from typing import Final

from psycopg import OperationalError, pq
from psycopg.pq.abc import PGresult

from shared.eventstore.port import CorruptRecord, StoreUnavailable
from shared.eventstore.postgres.layout import FORMAT
from shared.eventstore.postgres.wire import number

_DONE: Final = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
_PASSING: Final = ("08", "25006", "40", "53", "55", "57")  # SQLSTATEs; others stay
_DAMAGED: Final = ("XX001", "XX002")
_NO_LAYOUT: Final = "it holds no layout; its owner makes one: letterlock store-layout"
_REASONS: Final = {
    "3F000": _NO_LAYOUT,
    "42P01": _NO_LAYOUT,
    "42883": _NO_LAYOUT,
    "42501": "the account lacks a right; the layout was made for another",
}
_NO_LOGIN: Final = "the event store refused us: no such login to that database"
_NO_TRUST: Final = "the event store's certificate is not one that we trust"
_REFUSALS: Final = {
    "authentication": _NO_LOGIN,
    "pg_hba": _NO_LOGIN,
    "does not exist": _NO_LOGIN,
    "permission denied": _NO_LOGIN,
    "SSL error": _NO_TRUST,
    "does not match host name": _NO_TRUST,
}  # by what libpq says, the rest of which names the account
_LOOK: Final = b"""
    SELECT format, current_setting('fsync') || current_setting('full_page_writes'),
        has_table_privilege('letterlock.events', 'INSERT, UPDATE, DELETE, TRUNCATE')
    FROM letterlock.layout"""
_DETAIL: Final = 160  # characters of the cause that are shown


class Lost(Exception):
    """The connection failed, or the server cannot serve just now; try another one."""


class Line:
    """A connection, for one thread at a time."""

    def __init__(self, conninfo: bytes, until: float) -> None:
        """Connect, and see that the store is one that this program may append to.

        `until` is a time of the monotonic clock, as everywhere here.

        Raises:
            Lost: no connection until then.
            StoreUnavailable: the server refuses us, or is not fit to keep facts.
        """
        self._names: dict[bytes, bytes] = {}
        self._connection = pq.PGconn.connect_start(conninfo)
        try:
            self._connect(until)
            self._look(until)
        except OperationalError as error:
            self.close()
            raise Lost(_said(str(error))) from None
        except BaseException:
            self.close()
            raise

    @property
    def socket(self) -> int:
        """Return the descriptor on which news arrive."""
        return self._connection.socket

    def ask(
        self, sql: bytes, arguments: Sequence[bytes] = (), *, until: float
    ) -> PGresult:
        """Return the answer to one statement, binary as its arguments are.

        Raises:
            Lost: the connection failed, or there was no answer in time; close it.
            StoreUnavailable: the server refuses; repeating would not help.
            CorruptRecord: the server's own files are damaged.
        """
        formats = [pq.Format.BINARY] * len(arguments)
        try:
            name = self._names.get(sql)
            if name is None:
                name = b"s%d" % len(self._names)
                self._connection.send_prepare(name, sql)
                self._answer(until)
                self._names[sql] = name
            self._connection.send_query_prepared(
                name, arguments, formats, result_format=pq.Format.BINARY
            )
            return self._answer(until)
        except OperationalError as error:
            raise Lost(_said(str(error))) from None

    def news(self) -> bool:
        """Take what came unasked; tell whether there was a notice of an append.

        Raises:
            Lost: the connection failed.
        """
        try:
            self._connection.consume_input()
            heard = False
            while self._connection.notifies():
                heard = True
        except OperationalError as error:
            raise Lost(_said(str(error))) from None
        return heard

    def close(self) -> None:
        """Hang up. What the server was about to commit, it may commit."""
        self._connection.finish()

    def _connect(self, until: float) -> None:
        connection = self._connection
        step = pq.PollingStatus.WRITING
        while step != pq.PollingStatus.OK:
            if (
                step == pq.PollingStatus.FAILED
                or connection.status == pq.ConnStatus.BAD
            ):
                said = connection.get_error_message()
                for word, refusal in _REFUSALS.items():
                    if word in said:
                        raise StoreUnavailable(refusal)
                raise Lost(_said(said))
            writing = step == pq.PollingStatus.WRITING
            _await(
                connection.socket, select.POLLOUT if writing else select.POLLIN, until
            )
            step = pq.PollingStatus(connection.connect_poll())
        connection.nonblocking = 1

    def _look(self, until: float) -> None:
        found = self.ask(_LOOK, until=until)
        known = number(found.get_value(0, 0)) if found.ntuples else 0
        if known != FORMAT:
            message = f"the store has layout {known}; this program knows {FORMAT}"
            raise StoreUnavailable(message)
        if found.get_value(0, 1) != b"onon":
            raise StoreUnavailable("the server does not keep what it confirms (fsync)")
        if found.get_value(0, 2) != b"\0":
            raise StoreUnavailable(
                "the account may change facts; take one that the layout names"
            )

    def _answer(self, until: float) -> PGresult:
        connection = self._connection
        while connection.flush():
            _await(connection.socket, select.POLLIN | select.POLLOUT, until)
            connection.consume_input()
        answer = None
        while True:
            while connection.is_busy():
                _await(connection.socket, select.POLLIN, until)
                connection.consume_input()
            found = connection.get_result()
            if found is None:
                break
            answer = found
        if answer is None:
            raise Lost("the server gave no answer")
        if answer.status not in _DONE:
            _raise(answer)
        return answer


def _await(descriptor: int, events: int, until: float) -> None:
    poll = select.poll()
    poll.register(descriptor, events)
    if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
        raise Lost("the server is silent")


def _raise(answer: PGresult) -> None:
    state = (answer.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    if not state:
        raise Lost("the connection broke")
    if state.startswith(_PASSING):
        raise Lost(f"SQLSTATE {state}")
    if state in _DAMAGED:
        message = f"the server's own files are damaged: SQLSTATE {state}"
        raise CorruptRecord(message)
    # never the server's own words: they may quote values
    reason = _REASONS.get(state, f"SQLSTATE {state}")
    message = f"the event store cannot do this: {reason}"
    raise StoreUnavailable(message)


def _said(text: str) -> str:
    return text.strip().partition("\n")[0][:_DETAIL]
