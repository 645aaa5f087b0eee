"""Opening a letter: judging the answer, recording the view, handing out a ticket."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from services.crm.commands import CheckCode, CheckFact
from services.envelope.api import Ticket
from services.envelope.commands import OpenEnvelope
from services.envelope.errors import (
    AnswerMissing,
    AnswerWrong,
    DoorLocked,
)
from services.envelope.handlers.finding import Finder, Found
from services.envelope.handlers.tickets import Pass
from services.envelope.handlers.tools import Tools
from services.envelope.model.door import (
    decide_answer,
    locked_text,
    refuse_shut,
    tries_left,
)
from services.envelope.model.state import Envelope
from shared.context import CallContext
from shared.crypto.seal import same
from shared.errors import DomainError
from shared.events import Event, event_id_of
from shared.eventstore.port import WrongVersion

ROUNDS: Final = 20  # times an answer is judged anew after another one was recorded
LONGEST: Final = 200  # characters of an answer; no fact on file is longer
_BESIDE: Final = re.compile(r"[\s\-\u2010-\u2015/.]+")


class _Changed(Exception):
    """Another answer was recorded since this one was judged."""


class Opener:
    """The operation `open`."""

    def __init__(self, tools: Tools, finder: Finder) -> None:
        """Work with `tools`; recognise tokens by `finder`."""
        self._tools = tools
        self._finder = finder
        # Opening one envelope a thousand times at once is done in turn, not by racing.
        self._turns = tuple(threading.Lock() for _ in range(64))

    def open(self, request: OpenEnvelope, context: CallContext) -> Ticket:
        """As `EnvelopeApi.open`."""
        found = self._finder.must_find(request.token)
        browser = self._tools.tickets.browser(request.browser)
        self._tools.refuse_erased(found.envelope.contact_id, context)
        # A first result is given again to the browser that had it, and to no other:
        # elsewhere the same command id is another command, whose answer is judged.
        context = context.step(f"browser/{browser}")
        with self._turns[int(found.envelope.envelope_id, 16) % len(self._turns)]:
            return self._open(found, request.answer.strip(), browser, context)

    def _open(
        self, found: Found, answer: str, browser: str, context: CallContext
    ) -> Ticket:
        """Judge and record until no other answer came between the two.

        So every answer is judged in the light of all recorded before it, and guessing
        in parallel gives no more tries than guessing in turn.
        """
        event_id = event_id_of(context, found.stream, 0)
        envelopes = self._tools.envelopes
        for _ in range(ROUNDS):
            loaded = envelopes.load(found.stream)
            if event_id in loaded.written:  # asked again: the first result again
                return self._ticket(loaded.state, found.generation, event_id, browser)
            refuse_shut(loaded.state, found.generation, envelopes.now(loaded))
            if not answer:
                raise AnswerMissing
            right = self._is_right(loaded.state, answer, browser, context)
            self._tools.failpoints.hit("open.before_append")
            decide = _unless_changed(
                found.generation, loaded.state.rejections, right=right
            )
            try:
                envelopes.run(found.stream, context, decide)
            except _Changed:
                continue
            self._tools.failpoints.hit("open.after_append")
            loaded = envelopes.load(found.stream)
            if not right:
                raise _wrong(loaded.state, loaded.at)
            return self._ticket(loaded.state, found.generation, event_id, browser)
        raise WrongVersion

    def _is_right(
        self, envelope: Envelope, answer: str, browser: str, context: CallContext
    ) -> bool:
        crm, means = self._tools.crm, envelope.check
        if len(answer) > LONGEST:
            return False
        if means == "request_number":
            record = self._tools.renditions.thaw(envelope).record
            return bool(record) and same(_squeezed(answer), _squeezed(record))
        if means == "code":
            return crm.check_code(
                CheckCode(
                    contact_id=envelope.contact_id,
                    envelope_id=envelope.envelope_id,
                    browser=browser,
                    answer=answer,
                ),
                context.step("code"),
            )
        return crm.check_fact(
            CheckFact(contact_id=envelope.contact_id, means=means, answer=answer),
            context.step("fact"),
        )

    def _ticket(
        self, envelope: Envelope, generation: int, event_id: UUID, browser: str
    ) -> Ticket:
        for opening in envelope.openings:
            if opening.event_id == event_id:
                break
        else:
            raise AnswerWrong  # this command was a wrong answer, and stays one
        said = Pass(
            envelope_id=envelope.envelope_id,
            opening_id=event_id,
            generation=generation,
            opened_at=opening.at,
            expires_at=opening.until,
        )
        return Ticket(
            ticket=self._tools.tickets.make(said, browser),
            envelope_id=envelope.envelope_id,
            expires_at=opening.until,
        )


def _squeezed(number: str) -> str:
    return _BESIDE.sub("", number).casefold()


def _wrong(envelope: Envelope, at: datetime) -> DomainError:
    if at < envelope.locked_until:
        return DoorLocked(locked_text(envelope))
    left = tries_left(envelope, at)
    tries = "1 try" if left == 1 else f"{left} tries"
    return AnswerWrong(f"That does not match what we have on file. {tries} left.")


def _unless_changed(
    generation: int, rejections: int, *, right: bool
) -> Callable[[Envelope, datetime], list[Event]]:
    def decide(envelope: Envelope, at: datetime) -> list[Event]:
        if envelope.rejections != rejections:
            raise _Changed
        return decide_answer(envelope, generation, at, right=right)

    return decide
