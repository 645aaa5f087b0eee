"""The postman: the only one who hands envelopes and notices to the mail relay.

For each mail: an intent that is durable, then the mail, then what became of it. If that
is never known, because the relay's answer or we ourselves were cut off, the same mail
goes once more, with the same Message-ID and link, and `repeat` says so. If it is not
known then either, that is recorded and a person decides: no mail goes three times.
"""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from typing import Final

from services.crm.commands import PermitSend
from services.crm.errors import ContactErased, ContactHasStopped, ContactUnknown
from services.envelope.errors import EnvelopeUnknown, MailUnsafe
from services.envelope.handlers.streams import stream_of
from services.envelope.handlers.tools import Tools
from services.envelope.model.relay import (
    NOT_BEGUN,
    RaceLost,
    decide_attempt,
    decide_failure,
    decide_unconfirmed,
    due,
)
from services.envelope.model.sending import decide_consign
from services.envelope.model.state import Envelope
from services.envelope.model.words import reference_of
from services.envelope.ports import (
    Composer,
    EnvelopeMail,
    Outbox,
    OutboxRow,
    Parcel,
    Relay,
    RelayAnswer,
)
from services.envelope.reactions.notices import NoticePost
from services.envelope.reactions.outcomes import Outcomes
from shared.context import service_context
from shared.crypto.keyring import KeyDestroyed
from shared.errors import Fault
from shared.eventstore.port import WrongVersion
from shared.fence import AlreadyFollowed, Fence

BATCH: Final = 50  # rows of one round
NOT_SENT: Final = RelayAnswer(outcome="deferred", reason=NOT_BEGUN)


class Postman:
    """Works through the outbox, which says where to look; the stream says what is due.

    With `lock`, a file, it is the only postman for as long as it lives, and what a
    crash cut off is taken up at once. Without, an attempt of unknown outcome is left
    alone until another postman must be done with it.
    """

    def __init__(
        self,
        tools: Tools,
        outbox: Outbox,
        composer: Composer,
        relay: Relay,
        *,
        lock: Path | None = None,
    ) -> None:
        """Work with `tools`; opens nothing yet."""
        self._tools = tools
        self._outbox = outbox
        self._composer = composer
        self._relay = relay
        self._alone = lock is not None
        self._fence = Fence(lock)
        self._round = threading.Lock()
        self._leaving = False
        self._outcomes = Outcomes(tools.envelopes)
        self._notices = NoticePost(tools, composer, relay)

    def run_once(self, now: datetime | None = None) -> int:
        """Do what is due at `now` (the clock's); return how many mails were handled.

        0 also if another postman holds the lock, or another thread is at it. Trouble
        with one mail does not stop the others.

        Raises:
            Fault: the first trouble met, once all others were seen to.
        """
        if not self._round.acquire(blocking=False):
            return 0
        try:
            self._fence.take()
            return self._go_round(now or self._tools.clock.now())
        except AlreadyFollowed:
            return 0
        finally:
            self._round.release()

    def leave(self) -> None:
        """Begin no other mail until `close`; returns at once. Any thread may."""
        self._leaving = True

    def close(self) -> None:
        """Let another postman take over, once the mail at hand is done."""
        self.leave()
        with self._round:
            self._leaving = False
            self._outcomes.forget()
            self._fence.release()

    def _go_round(self, now: datetime) -> int:
        troubles: list[Fault | WrongVersion] = []
        done = 0
        for row in self._outbox.due(now, BATCH):
            if self._leaving:
                break
            try:
                done += self._do(row)
            except RaceLost:
                continue
            except (Fault, WrongVersion) as trouble:
                troubles.append(trouble)
        if troubles:
            raise troubles[0]
        return done

    def _do(self, row: OutboxRow) -> bool:
        if row.kind == "notice":
            return self._notices.post(row.item_id)
        return self._outbox.links_known(row.position) and self._post(row.item_id)

    def _post(self, envelope_id: str) -> bool:
        envelopes, stream = self._tools.envelopes, stream_of(envelope_id)
        written = self._outcomes.write(envelope_id)
        loaded = envelopes.load(stream)
        if due(loaded.state, envelopes.now(loaded), alone=self._alone) == "consign":
            envelopes.run(stream, service_context("envelope"), decide_consign)
            loaded = envelopes.load(stream)
        envelope = loaded.state
        match due(envelope, envelopes.now(loaded), alone=self._alone):
            case "expired":
                gone = "disabled" if envelope.disabled_at else "expired"
                self._fail(envelope, envelope.relay.attempts, gone)
            case "unconfirmed":
                envelopes.run(
                    stream,
                    service_context("envelope"),
                    lambda state, _: decide_unconfirmed(state),
                )
            case "attempt":
                self._attempt(envelope)
            case _:
                return written
        return True

    def _attempt(self, envelope: Envelope) -> None:
        attempt = envelope.relay.attempts + 1
        try:
            permit, parcel = self._prepare(envelope, attempt)
        except (ContactHasStopped, ContactErased, ContactUnknown, MailUnsafe) as no:
            self._fail(envelope, attempt, no.code)
            return
        except (EnvelopeUnknown, KeyDestroyed):
            self._fail(envelope, attempt, ContactErased.code)
            return
        hit = self._tools.failpoints.hit
        hit("relay.before_intent")
        try:
            self._intend(envelope, attempt, permit)
        except Fault:
            if self._alone:  # written or not, it is ours, and nothing was sent
                self._outcomes.keep(envelope, attempt, NOT_SENT)
            raise
        hit("relay.after_intent")
        answer = self._relay.deliver(parcel)
        hit("relay.after_250")
        self._outcomes.keep(envelope, attempt, answer)
        self._outcomes.write(envelope.envelope_id)
        hit("relay.after_record")

    def _intend(self, envelope: Envelope, attempt: int, permit: int) -> None:
        # A fresh command id each time: of two postmen only one can write this attempt.
        self._tools.envelopes.run(
            stream_of(envelope.envelope_id),
            service_context("envelope"),
            lambda state, at: decide_attempt(
                state,
                at,
                generation=envelope.generation,
                attempt=attempt,
                permit=permit,
                alone=self._alone,
            ),
        )

    def _prepare(self, envelope: Envelope, attempt: int) -> tuple[int, Parcel]:
        """Have the attempt permitted and the mail written; nothing leaves yet."""
        tools = self._tools
        permit = tools.crm.permit(
            PermitSend(
                envelope_id=envelope.envelope_id,
                contact_id=envelope.contact_id,
                purpose=envelope.purpose,
                attempt=attempt,
            ),
            service_context("envelope"),
        )
        mail = EnvelopeMail(
            message_id=tools.links.message_id(
                envelope.envelope_id, envelope.generation
            ),
            organisation=tools.organisation(),
            sender_name=tools.renditions.thaw(envelope).sender_name,
            formal_name=permit.formal_name,
            email=permit.email,
            reference=reference_of(envelope.envelope_id),
            check=envelope.check,
            link=tools.links.letter(envelope.envelope_id, envelope.generation),
            choices=tools.links.choices(envelope.envelope_id),
            viewer=tools.links.viewer,
            expires_at=envelope.expires_at,
            at=tools.clock.now(),
        )
        return permit.position, self._composer.envelope(mail)

    def _fail(self, envelope: Envelope, attempt: int, reason: str) -> None:
        self._tools.envelopes.run(
            stream_of(envelope.envelope_id),
            service_context("envelope"),
            lambda state, _: decide_failure(
                state, generation=envelope.generation, attempt=attempt, reason=reason
            ),
        )
