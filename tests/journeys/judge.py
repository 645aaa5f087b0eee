"""The judge: what must never stand in a store, by positions and nothing else.

It reads facts in the order of the store and mails as the relay took them; it knows no
handler. Versions in a stream have no gaps in any store; positions rise in every store,
and have no gaps where the store promises it (memory and SQLite; a cluster does not).
`test_judge.py` shows it histories with planted faults.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.crm.events import (
    ContactForgotten,
    ContactStopLifted,
    ContactStopped,
    SendPermitted,
)
from services.envelope.events import (
    EnvelopeExpired,
    EnvelopeExpiryChanged,
    EnvelopeRelayed,
    EnvelopeSent,
    EnvelopeViewed,
    LetterConsigned,
    LetterShown,
    LinkRenewed,
    RelayAttempted,
    RelayDeferred,
    RelayFailed,
    RelayUnconfirmed,
)
from services.letters.events import LetterIssued, LetterWithdrawn
from shared.events import Recorded
from shared.eventstore.port import NO_STREAM, EventStore
from shared.mailbox import Mail
from tests.journeys.post import token_of


def all_facts(store: EventStore) -> list[Recorded]:
    """Return every fact of the store, in order."""
    found: list[Recorded] = []
    while page := store.read_all(found[-1].position if found else 0):
        found.extend(page)
    return found


@dataclass(slots=True)
class _Life:
    """What the facts so far say about one envelope."""

    ends: datetime
    issued: bool
    consigned: bool = False
    disabled: bool = False
    over: bool = False
    viewed: bool = False
    doubts: int = 0  # attempts with this link that may have been a mail


@dataclass(slots=True)
class Judge:
    """Goes through the facts once and notes what breaks a rule."""

    gapless: bool = True  # the store promises positions without gaps
    wrongs: list[str] = field(default_factory=list)
    _withdrawn: set[str] = field(default_factory=set)
    _stops: dict[str, set[str]] = field(default_factory=dict)
    _forgotten: set[str] = field(default_factory=set)
    _issued: set[str] = field(default_factory=set)
    _permits: dict[int, SendPermitted] = field(default_factory=dict)
    _lives: dict[str, _Life] = field(default_factory=dict)
    _ids: set[object] = field(default_factory=set)
    _last: int = 0
    _versions: dict[str, int] = field(default_factory=dict)  # last of each stream

    def hear(self, records: Iterable[Recorded]) -> list[str]:
        """Return what is wrong with the facts, each with its position."""
        for record in records:
            self._place(record)
            self._letters(record)
            self._contacts(record)
            self._relay(record)
            self._door(record)
        return self.wrongs

    def _place(self, record: Recorded) -> None:
        """Judge where it stands: in the store and in its stream."""
        before, self._last = self._last, record.position
        self._hold(record, record.position > before, "out of order in the store")
        if self.gapless:
            self._hold(record, record.position == before + 1, "a gap in the store")
        last = self._versions.get(record.stream, NO_STREAM)
        self._versions[record.stream] = record.version
        self._hold(record, record.version > last, "a version twice in its stream")
        self._hold(record, record.version <= last + 1, "a gap in its stream")
        self._hold(record, record.event_id not in self._ids, "a fact twice")
        self._ids.add(record.event_id)

    def _hold(self, record: Recorded, holds: object, otherwise: str) -> None:
        if not holds:
            name = record.event.type_name
            self.wrongs.append(f"{record.position} {name}: {otherwise}")

    def _letters(self, record: Recorded) -> None:
        match record.event:
            case LetterWithdrawn(page=page):
                self._withdrawn.add(page)
            case LetterIssued() as issued:
                self._hold(
                    record,
                    issued.page not in self._withdrawn,
                    "issued after it was withdrawn",
                )
                self._hold(
                    record, issued.envelope_id not in self._issued, "issued twice"
                )
                self._issued.add(issued.envelope_id)
            case EnvelopeSent() as sent:
                self._hold(record, sent.envelope_id not in self._lives, "sent twice")
                self._hold(record, sent.envelope_id in self._issued, "never issued")
                self._lives[sent.envelope_id] = _Life(ends=sent.expires_at, issued=True)
            case _:
                pass

    def _contacts(self, record: Recorded) -> None:
        match record.event:
            case ContactStopped(contact_id=contact, stop=stop):
                self._stops.setdefault(contact, set()).add(stop)
            case ContactStopLifted(contact_id=contact, stop=stop):
                self._stops.setdefault(contact, set()).discard(stop)
            case ContactForgotten(contact_id=contact):
                self._forgotten.add(contact)
            case SendPermitted() as permit:
                barring = {"messages", "all"}
                if permit.purpose == "marketing":
                    barring.add("marketing")
                stands = self._stops.get(permit.contact_id, set()) & barring
                self._hold(record, not stands, "permitted after a stop")
                self._hold(
                    record,
                    permit.contact_id not in self._forgotten,
                    "permitted after the erasure",
                )
                self._permits[record.position] = permit
            case _:
                pass

    def _relay(self, record: Recorded) -> None:
        match record.event:
            case LetterConsigned(envelope_id=envelope):
                life = self._lives[envelope]
                self._hold(record, not life.consigned, "consigned twice")
                life.consigned = True
            case RelayAttempted() as attempt:
                life = self._lives[attempt.envelope_id]
                permit = self._permits.pop(attempt.permit, None)
                self._hold(
                    record,
                    permit is not None and permit.envelope_id == attempt.envelope_id,
                    "attempted without a permit of its own",
                )
                self._hold(record, life.consigned, "attempted before it was consigned")
                self._hold(
                    record,
                    attempt.repeat == (life.doubts > 0),
                    "a repeat that is not told as one, or the reverse",
                )
                self._hold(record, life.doubts < 2, "repeated a second time")
                life.doubts += 1
            case RelayDeferred(envelope_id=envelope, reason=reason):
                self._lives[envelope].doubts -= reason != "no_reply"
            case _:
                self._outcome(record)

    def _outcome(self, record: Recorded) -> None:
        match record.event:
            case EnvelopeRelayed(envelope_id=envelope):
                doubts, self._lives[envelope].doubts = self._lives[envelope].doubts, 0
                self._hold(record, doubts, "relayed without an intent")
            case RelayFailed(envelope_id=envelope, reply_code=code):
                doubts = self._lives[envelope].doubts - (code is not None)
                self._hold(record, doubts <= 0, "failed, and yet may have arrived")
            case RelayUnconfirmed(envelope_id=envelope, reply_code=code):
                doubts = self._lives[envelope].doubts - (code is not None)
                self._hold(record, doubts > 0, "in doubt, and there is none")
            case _:
                pass

    def _door(self, record: Recorded) -> None:
        at = record.recorded_at
        match record.event:
            case EnvelopeExpiryChanged(envelope_id=envelope, expires_at=ends):
                life = self._lives[envelope]
                life.ends, life.disabled = ends, life.disabled or ends <= at
            case LinkRenewed(envelope_id=envelope, expires_at=ends):
                life = self._lives[envelope]
                life.ends, life.over, life.doubts = ends, False, 0
            case EnvelopeExpired(envelope_id=envelope):
                life = self._lives[envelope]
                self._hold(record, at >= life.ends, "expired before its time")
                self._hold(record, not life.over, "expired twice")
                life.over = True
            case (
                EnvelopeViewed(envelope_id=envelope) | LetterShown(envelope_id=envelope)
            ):
                life = self._lives[envelope]
                first = isinstance(record.event, EnvelopeViewed)
                self._hold(record, not life.disabled, "shown after it was disabled")
                self._hold(record, not life.over, "shown after EnvelopeExpired")
                self._hold(record, at < life.ends, "shown after its expiry")
                self._hold(
                    record, first != life.viewed, "the first view is not the first"
                )
                life.viewed = True
            case _:
                pass


def judge(records: Iterable[Recorded], *, gapless: bool = True) -> list[str]:
    """Return what is wrong with a history from the first fact on.

    `gapless` tells whether the store promises positions without gaps.
    """
    return Judge(gapless=gapless).hear(records)


Link = tuple[str, int]  # envelope id, generation


@dataclass(slots=True)
class _Ledger:
    """What the facts say must and may have been mailed."""

    links: dict[str, Link] = field(default_factory=dict)  # by hash of the token
    intents: Counter[Link] = field(default_factory=Counter)
    repeats: Counter[Link] = field(default_factory=Counter)
    relayed: Counter[Link] = field(default_factory=Counter)
    permitted: set[str] = field(default_factory=set)

    def enter(self, record: Recorded) -> None:
        """Take one fact in."""
        match record.event:
            case EnvelopeSent(envelope_id=envelope, link_hash=link):
                self.links[link] = (envelope, 1)
            case LinkRenewed(envelope_id=envelope, link_hash=link, generation=number):
                self.links[link] = (envelope, number)
            case SendPermitted(envelope_id=envelope):
                self.permitted.add(envelope)
            case RelayAttempted() as attempt:
                key = (attempt.envelope_id, attempt.generation)
                self.intents[key] += 1
                self.repeats[key] += attempt.repeat
            case EnvelopeRelayed() as done:
                self.relayed[done.envelope_id, done.generation] += 1
            case _:
                pass


def judge_mails(records: Iterable[Recorded], mails: Sequence[Mail]) -> list[str]:
    """Return what is wrong with the mails that came out, beside the facts (I2, I3)."""
    ledger = _Ledger()
    for record in records:
        ledger.enter(record)
    came: Counter[Link] = Counter()
    ids: dict[Link, str] = {}
    wrongs: list[str] = []
    for mail in mails:
        known = ledger.links.get(hashlib.sha256(token_of(mail).encode()).hexdigest())
        if known is None:
            wrongs.append(f"mail {mail.number}: its link belongs to no envelope")
            continue
        came[known] += 1
        message_id = str(mail.message["Message-ID"])
        rules = {
            "nobody permitted it": known[0] in ledger.permitted,
            "one more than was labelled": came[known] <= 1 + ledger.repeats[known],
            "without an intent": came[known] <= ledger.intents[known],
            "repeated more than once": came[known] <= 2,
            "another Message-ID": ids.setdefault(known, message_id) == message_id,
        }
        wrongs += [
            f"mail {mail.number}: {w}" for w, holds in rules.items() if not holds
        ]
    for known, count in ledger.relayed.items():
        if count != 1 or not came[known]:
            wrongs.append(f"{known}: told as relayed {count} times, came {came[known]}")
    return wrongs
