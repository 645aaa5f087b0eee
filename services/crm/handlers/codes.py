"""One-time codes: derived when needed, kept nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.crm.commands import CheckCode, IssueCode, ReadCode
from services.crm.errors import ContactUnknown
from services.crm.events import CodeAccepted
from services.crm.model.codes import Code, Codes, answer, asked, evolve_codes, issue
from services.crm.model.text import fold
from shared.clock import Clock
from shared.context import CallContext, Done
from shared.crypto.keyring import Keyring
from shared.crypto.seal import keyed_hash, same
from shared.events import Event, event_id_of
from shared.eventstore.port import EventStore
from shared.handling import Aggregates
from shared.ids import derived_hex

DIGITS: Final = 6
_LONGEST_ANSWER: Final = 40  # characters of an answer that are looked at


class CodeDesk:
    """Makes and checks the codes of contacts, each in a stream beside the contact's."""

    def __init__(self, store: EventStore, clock: Clock, keyring: Keyring) -> None:
        """Keep what is given; open nothing."""
        nothing: Codes = ()
        self._store = store
        self._clock = clock
        self._keyring = keyring
        self._codes = Aggregates(store, clock, nothing, evolve_codes)

    def issue(self, request: IssueCode, context: CallContext) -> Done:
        """Make a code; `ref` is its id. Raises CodeLocked."""
        code_id = derived_hex(context.command_id, "code")
        return self._codes.run(
            _stream(request.contact_id),
            context,
            lambda codes, at: issue(codes, request, code_id, at),
            ref=code_id,
        )

    def live(self, request: ReadCode) -> tuple[Code, str]:
        """Return a live code and its digits.

        Raises:
            ContactUnknown: no such code, or it is used, replaced, dead or expired.
        """
        loaded = self._codes.load(_stream(request.contact_id))
        at = max(self._clock.now(), loaded.at)
        for code in loaded.state:
            if code.code_id == request.code_id and code.is_live(at):
                return code, self._digits(code)
        raise ContactUnknown("There is no such code, or its time is over.")

    def check(self, request: CheckCode, context: CallContext) -> bool:
        """Try a code; True uses it up. Raises CodeLocked after five wrong ones."""
        typed = fold(request.answer[:_LONGEST_ANSWER])
        stream = _stream(request.contact_id)
        verdicts: list[bool] = []

        def decide(codes: Codes, at: datetime) -> Sequence[Event]:
            code = asked(codes, request, at)
            if code is None or not typed:
                verdicts.append(False)
                return []
            verdicts.append(same(typed, self._digits(code)))
            return answer(code, request, right=verdicts[-1])

        self._codes.run(stream, context, decide)
        return verdicts[-1] if verdicts else self._was_accepted(stream, context)

    def _was_accepted(self, stream: str, context: CallContext) -> bool:
        """Return what the first run of this command answered."""
        wanted = event_id_of(context, stream, 0)
        return any(
            isinstance(record.event, CodeAccepted)
            for record in self._store.read(stream)
            if record.event_id == wanted
        )

    def _digits(self, code: Code) -> str:
        key = self._keyring.derive("code")
        number = int.from_bytes(keyed_hash(key, "one-time code", code.code_id))
        return f"{number % 10**DIGITS:0{DIGITS}d}"


def _stream(contact_id: str) -> str:
    return f"crm.codes-{contact_id}"
