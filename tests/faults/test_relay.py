"""Everything a mail relay may do to an envelope, whole (F13 to F16).

A letter is sent through the real operations of the running service; its postman talks
SMTP to a relay that follows a script. Judged by the facts of the envelope's stream and
by the mails that came. In full, hundreds of drawn scripts and the real patience.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from services import verbs
from services.browser import Browser
from services.crm.commands import CreateContact
from services.demo_data import DemoIds
from services.embedded import Running, running
from services.envelope.adapters.smtp import SmtpRelay
from services.envelope.api import MessageView
from services.envelope.commands import GetAttention, GetMessage, SendLetter
from services.envelope.events import (
    EnvelopeRelayed,
    RelayAttempted,
    RelayDeferred,
    RelayFailed,
    RelayUnconfirmed,
)
from services.envelope.model.words import reference_of
from shared.clock import ManualClock
from shared.context import CallContext
from shared.events import Event
from shared.ids import mint
from shared.mailbox import Mail
from shared.settings import Settings
from tests.builders import a_clock
from tests.faults.process import Died, Job, Process, contact_of
from tests.faults.process import until as until_dead
from tests.faults.scripted import (
    AT_DATA,
    DRIBBLES,
    LOSES,
    MUMBLES,
    NO_TLS,
    SILENT,
    TAKES,
    TAKES_AND_CUTS,
    TAKES_AND_WAITS,
    Act,
    ScriptedRelay,
    replies,
    scripted,
)
from tests.faults.soundness import catch_up, facts_in
from tests.journeys.judge import all_facts, judge, judge_mails
from tests.journeys.post import Post, token_of
from tests.ports import a_quiet_port
from tests.systems import demo_settings
from tests.unit.envelope.test_smtp import certificate
from tests.waiting import until

pytestmark = pytest.mark.integration
FULL: Final = os.environ.get("LETTERLOCK_SOAK") == "full"
ROUNDS: Final = 300 if FULL else 6
SEED: Final = 20_261_125
WELCOME: Final = "165120"  # a page of the demo that anybody may open by name
LATER: Final = timedelta(hours=2)  # longer than any wait between attempts
STEP: Final = timedelta(seconds=0.3)
HASTE: Final[dict[str, Any]] = (
    {"verdict": timedelta(seconds=20)}  # else the adapter's own patience
    if FULL
    else {"step": STEP, "deadline": 3 * STEP, "verdict": STEP}
)
UNKNOWN: Final = (LOSES, TAKES_AND_CUTS, TAKES_AND_WAITS, MUMBLES)
LATER_CODES: Final = ("421 closing", "450 busy", "451 greylisted", "452 full")
NEVER_CODES: Final = ("550 nobody", "552 too large", "554 refused")
STAGES: Final = ("greeting", "mail", "rcpt", "data", "content")
GREYLISTS: Final = tuple(replies(s, w) for w in LATER_CODES for s in STAGES)
REFUSES: Final = tuple(replies(s, w) for w in NEVER_CODES for s in STAGES)
QUICK: Final = (AT_DATA, NO_TLS, LOSES, TAKES_AND_CUTS, MUMBLES)
ENDS: Final = (EnvelopeRelayed, RelayFailed, RelayUnconfirmed)
OUTCOMES: Final = (RelayDeferred, *ENDS)


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a script must come to, worked out without the product's rules."""

    mails: int
    repeats: tuple[bool, ...]
    end: type[Event]


def foretell(script: Sequence[Act]) -> Foretold:
    """Follow a script to its end; after it, the relay takes whatever comes."""
    mails, maybe, repeats = 0, 0, []
    for act in (*script, TAKES):
        repeats.append(maybe > 0)
        if act is TAKES:
            return Foretold(mails + 1, tuple(repeats), EnvelopeRelayed)
        if act in REFUSES:
            end = RelayUnconfirmed if maybe else RelayFailed
            return Foretold(mails, tuple(repeats), end)
        if act in UNKNOWN:
            mails, maybe = mails + act.keeps, maybe + 1
        if maybe == 2:
            return Foretold(mails, tuple(repeats), RelayUnconfirmed)
    raise AssertionError


@dataclass(slots=True)
class House:
    """The running service, its relay, and a clock that a test moves."""

    system: Running
    ids: DemoIds
    settings: Settings
    clock: ManualClock
    relay: ScriptedRelay

    def by(self, role: str) -> CallContext:
        """Return the context of a command by a fresh member of staff."""
        command = mint()
        return CallContext(
            command_id=command,
            correlation_id=command,
            actor_id=command.hex,
            actor_kind="staff",
            role=role,
        )

    def send(self) -> str:
        """Enter a person and send them a letter; return the envelope's id."""
        person = CreateContact(
            title="Mr",
            given="Tom",
            family="Testperson",
            email=f"tom.{mint().hex}@people.example",
        )
        contact = self.system.apis.crm.create(person, self.by("sender")).ref
        letter = SendLetter(
            contact_id=contact, page=WELCOME, sender_name="Ms Anna Ferris"
        )
        return self.system.apis.envelope.send(letter, self.by("sender")).envelope_id

    def facts(self, envelope: str, *kinds: type) -> list[Any]:
        """Return the facts of these kinds in the stream of an envelope."""
        stream = self.system.core.store.read(f"envelope.envelope-{envelope}")
        return [record.event for record in stream if isinstance(record.event, kinds)]

    def outcome(self, envelope: str, number: int) -> Event:
        """Wait for the outcome of the n-th attempt; go round with the postman."""

        def come() -> bool:
            self.system.core.envelope.postman.run_once()
            return len(self.facts(envelope, *OUTCOMES)) >= number

        until(come, "an outcome")
        return self.facts(envelope, *OUTCOMES)[number - 1]

    def settled(self, envelope: str, *, wait: timedelta = LATER) -> Event:
        """Let time pass until the envelope has its end; return that."""
        number = 1
        while not isinstance(end := self.outcome(envelope, number), ENDS):
            number += 1
            self.clock.move(wait)
        return end

    def delivered(self, *script: Act) -> str:
        """Send a letter to a relay that acts so; return the id, once it is settled."""
        self.relay.script.extend(script)
        envelope = self.send()
        self.settled(envelope)
        return envelope

    def mails(self, envelope: str) -> list[Mail]:
        """Return the mails of an envelope, oldest first."""
        return self.relay.post.about(reference_of(envelope))

    def repeats(self, envelope: str) -> tuple[bool, ...]:
        """Return which attempts were labelled as repeats."""
        return tuple(fact.repeat for fact in self.facts(envelope, RelayAttempted))

    def reasons(self, envelope: str) -> list[str]:
        """Return why attempts were put off."""
        return [fact.reason for fact in self.facts(envelope, RelayDeferred)]

    def view(self, envelope: str) -> MessageView:
        """Return what staff see of it, up to date."""
        catch_up(self.system.core)
        request = GetMessage(envelope_id=envelope)
        return self.system.apis.envelope.message(request, self.by("sender"))

    def nothing_follows(self, envelope: str) -> None:
        """Let days pass; a letter sent then goes, and nothing more of this one."""
        kinds, mails = (RelayAttempted, *OUTCOMES), self.mails(envelope)
        facts = self.facts(envelope, *kinds)
        self.clock.move(timedelta(days=1))
        self.settled(self.send())  # later in the postman's round than all that is due
        assert self.facts(envelope, *kinds) == facts
        assert self.mails(envelope) == mails

    def assert_lawful(self) -> None:
        """Check every fact and every mail so far."""
        history = all_facts(self.system.core.store)
        assert judge(history) == []
        assert judge_mails(history, self.relay.post.mails()) == []


def assert_one_and_the_same(mails: Sequence[Mail], count: int) -> None:
    """Check that there are so many, with one Message-ID, one link, one recipient."""
    assert len(mails) == count
    same = {(m.message["Message-ID"], token_of(m), m.recipients) for m in mails}
    assert len(same) <= 1


@contextmanager
def a_house(
    folder: Path, *, clock: ManualClock | None = None, post: Post | None = None
) -> Iterator[House]:
    """Run the demo organisation in `folder`; found it unless it is there."""
    settings = demo_settings(folder, SMTP_PORT=str(a_quiet_port()), UNDO_SECONDS="0")
    verbs.prepare_demo(settings)
    clock = clock or a_clock()
    with (
        scripted(post or Post(), settings.smtp_port) as relay,
        running(settings, clock=clock) as system,
    ):
        ids = verbs.enter_demo(system, settings)
        house = House(system, ids, settings, clock, relay)
        talk_with(house)
        yield house


def talk_with(house: House, **more: Any) -> None:
    """Give the postman the real adapter, in a hurry."""
    where = (house.settings.smtp_host, house.settings.smtp_port)
    door = SmtpRelay(*where, **HASTE, **more)
    house.system.core.envelope.postman._relay = door


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with a_house(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture
def house(founded: House) -> Iterator[House]:
    yield founded
    founded.relay.script.clear()
    founded.assert_lawful()


# F13: it certainly did not take it --------------------------------------------------


@pytest.mark.parametrize(
    ("act", "reasons"),
    [
        (SILENT, {"timeout"}),
        (DRIBBLES, {"unreachable", "timeout", "connection_lost"}),
        (NO_TLS, {"tls_failed"}),
        (AT_DATA, {"connection_lost"}),
    ],
    ids=["says nothing", "dribbles", "breaks TLS", "hangs up at DATA"],
)
def test_a_relay_that_fails_before_it_has_the_mail_is_tried_until_it_takes_it(
    house: House, act: Act, reasons: set[str]
) -> None:
    envelope = house.delivered(act, act)
    assert set(house.reasons(envelope)) <= reasons
    assert house.repeats(envelope) == (False, False, False)
    assert_one_and_the_same(house.mails(envelope), 1)
    house.nothing_follows(envelope)


def test_a_relay_that_is_away_gets_the_mail_when_it_is_back(house: House) -> None:
    house.relay.shut()
    envelope = house.send()
    assert isinstance(house.outcome(envelope, 1), RelayDeferred)
    house.clock.move(LATER)
    assert isinstance(house.outcome(envelope, 2), RelayDeferred)
    assert house.reasons(envelope) == ["unreachable"] * 2
    house.relay.open()
    house.clock.move(LATER)
    assert isinstance(house.settled(envelope), EnvelopeRelayed)
    assert house.repeats(envelope) == (False, False, False)
    assert_one_and_the_same(house.mails(envelope), 1)


def test_a_certificate_that_nobody_vouches_for_keeps_the_mail_back(
    house: House, tmp_path: Path
) -> None:
    house.relay.tls, trusting = certificate(tmp_path)
    try:
        envelope = house.send()
        house.outcome(envelope, 1)
        assert house.reasons(envelope) == ["tls_failed"]
        assert house.mails(envelope) == []
        talk_with(house, tls=trusting)
        house.clock.move(LATER)
        end = house.settled(envelope)
    finally:
        house.relay.tls = None
        talk_with(house)
    assert isinstance(end, EnvelopeRelayed)
    assert end.tls
    assert house.repeats(envelope) == (False, False)
    assert_one_and_the_same(house.mails(envelope), 1)


def test_a_relay_that_never_takes_it_is_given_up_when_the_envelope_ends(
    house: House,
) -> None:
    house.relay.script.extend([replies("rcpt", "451 greylisted")] * 20)
    envelope = house.send()
    end = house.settled(envelope, wait=timedelta(days=1))
    assert isinstance(end, RelayFailed)
    assert end.reason == "expired"
    assert house.mails(envelope) == []
    house.relay.script.clear()
    house.nothing_follows(envelope)


# F14: later -------------------------------------------------------------------------


@pytest.mark.parametrize("reply", LATER_CODES)
def test_a_relay_that_asks_to_come_later_gets_one_mail(
    house: House, reply: str
) -> None:
    script = [replies(stage, reply) for stage in STAGES]
    envelope = house.delivered(*script)
    deferrals = house.facts(envelope, RelayDeferred)
    assert [fact.reply_code for fact in deferrals] == [int(reply[:3])] * len(STAGES)
    assert not any(house.repeats(envelope))
    assert_one_and_the_same(house.mails(envelope), 1)
    assert house.view(envelope).row.status == "sent"


# F15: never -------------------------------------------------------------------------


@pytest.mark.parametrize("act", REFUSES if FULL else REFUSES[::4], ids=str)
def test_a_relay_that_refuses_is_not_asked_again_and_staff_are_told(
    house: House, act: Act
) -> None:
    envelope = house.delivered(act)
    [end] = house.facts(envelope, *OUTCOMES)
    assert isinstance(end, RelayFailed)
    assert (end.reason, end.reply_code) == ("rejected", int(act.words[:3]))
    house.nothing_follows(envelope)
    assert house.mails(envelope) == []
    view = house.view(envelope)
    assert (view.row.status, view.failure) == ("not_delivered", "rejected")
    history = all_facts(house.system.core.store)
    [told] = [r for r in history if r.event == end]
    assert told.meta.etsi == "ConsignmentNotificationFailure"


# F16: it may have taken it ----------------------------------------------------------


@pytest.mark.parametrize("act", UNKNOWN, ids=str)
def test_a_relay_that_does_not_say_gets_the_same_mail_once_more(
    house: House, act: Act
) -> None:
    envelope = house.delivered(act)
    assert house.reasons(envelope) == ["no_reply"]
    assert house.repeats(envelope) == (False, True)
    assert_one_and_the_same(house.mails(envelope), 1 + act.keeps)
    assert house.view(envelope).row.status == "sent"
    house.nothing_follows(envelope)


@pytest.mark.parametrize(
    "script",
    [
        [TAKES_AND_CUTS, TAKES_AND_CUTS],
        [TAKES_AND_CUTS, replies("rcpt", "451 later"), AT_DATA, TAKES_AND_CUTS],
        [TAKES_AND_CUTS, replies("content", "554 seen it before")],
    ],
    ids=["twice", "with failures between", "refused the second time"],
)
def test_who_cannot_tell_in_the_end_says_so_and_sends_nothing_more(
    house: House, script: list[Act]
) -> None:
    envelope = house.delivered(*script)
    assert house.facts(envelope, *ENDS) == house.facts(envelope, RelayUnconfirmed)
    house.nothing_follows(envelope)
    assert_one_and_the_same(house.mails(envelope), script.count(TAKES_AND_CUTS))
    view = house.view(envelope)
    assert (view.row.status, view.failure) == ("unconfirmed", "unconfirmed")
    assert view.row.relayed_at is None
    attention = house.system.apis.envelope.attention(GetAttention(), house.by("sender"))
    assert envelope in {row.envelope_id for row in attention.rows}


def test_staff_read_what_is_not_known_and_send_a_fresh_link(house: House) -> None:
    envelope = house.delivered(TAKES_AND_CUTS, TAKES_AND_CUTS)
    catch_up(house.system.core)
    anna = Browser()
    link = verbs.sign_in_link(
        house.system.apis, house.settings, house.ids.staff["anna"]
    )
    anna.get(link)
    home = anna.submit("Sign in")
    assert "Not confirmed" in home.text
    page = anna.get(f"{house.system.portal}/messages/{envelope}")
    assert "We can't tell whether the message arrived. Phone the person" in page.text
    assert "once more, the same message" in page.text
    anna.follow("Send a fresh link")
    anna.submit("Send a fresh link")
    until(lambda: house.facts(envelope, EnvelopeRelayed), "the fresh link")
    house.clock.move(timedelta(seconds=1))
    catch_up(house.system.core)
    page = anna.get(f"{house.system.portal}/messages/{envelope}")
    assert "Phone the person" not in page.text
    anna.close()
    *old, fresh = house.mails(envelope)
    assert_one_and_the_same(old, 2)
    assert fresh.message["Message-ID"] != old[0].message["Message-ID"]
    reader = Browser()
    dead = reader.get(f"{house.system.viewer}/e/{token_of(old[0])}")
    works = reader.get(f"{house.system.viewer}/e/{token_of(fresh)}")
    reader.close()
    assert (dead.status, works.status) == (410, 200)


def test_what_the_relay_left_open_is_remembered_by_the_next_life(
    tmp_path: Path,
) -> None:
    clock, post = a_clock(), Post()
    with a_house(tmp_path, clock=clock, post=post) as first:
        first.relay.script.append(TAKES_AND_CUTS)
        envelope = first.send()
        first.outcome(envelope, 1)
    with a_house(tmp_path, clock=clock, post=post) as second:
        second.relay.script.append(TAKES_AND_CUTS)
        second.clock.move(LATER)
        assert isinstance(second.settled(envelope), RelayUnconfirmed)
        assert second.repeats(envelope) == (False, True)
        second.nothing_follows(envelope)
        assert_one_and_the_same(second.mails(envelope), 2)
        second.assert_lawful()


def test_any_script_comes_to_the_end_that_was_foretold(house: House) -> None:
    rng = Random(SEED)  # noqa: S311  # draws scripts, keeps no secret
    acts = [*QUICK, *GREYLISTS, *REFUSES]
    ends: dict[str, int] = {}
    for _ in range(ROUNDS):
        chances = [12 if act in UNKNOWN else 1 for act in acts]
        script = rng.choices(acts, chances, k=rng.randrange(6))
        foretold = foretell(script)
        envelope = house.delivered(*script)
        house.relay.script.clear()
        named = [act.name for act in script]
        assert house.repeats(envelope) == foretold.repeats, named
        [end] = house.facts(envelope, *ENDS)
        assert type(end) is foretold.end, named
        assert_one_and_the_same(house.mails(envelope), foretold.mails)
        ends[end.type_name] = ends.get(end.type_name, 0) + 1
    print(f"{ROUNDS} scripts, {ends}")  # noqa: T201


# The real process, killed -----------------------------------------------------------


def go_until_the_kill(job: Job, process: Process) -> None:
    """Do the job, and wait if the people do not notice. Raises Died."""
    job.go()
    until_dead(lambda: False, "the kill", alive=process.alive)


@pytest.mark.parametrize("time_", range(20 if FULL else 1))
def test_a_process_killed_twice_after_the_relay_said_250_sends_no_third_mail(
    tmp_path: Path, time_: int
) -> None:
    del time_
    settings = demo_settings(tmp_path, SMTP_PORT=str(a_quiet_port()), UNDO_SECONDS="0")
    verbs.prepare_demo(settings)
    post, process = Post(), Process(settings)
    with ExitStack() as stack:
        stack.enter_context(scripted(post, settings.smtp_port))
        stack.callback(process.close)
        job = Job(process, post, alive=process.alive)
        stack.callback(job.close)
        process.start(failpoint="relay.after_250")
        with pytest.raises(Died):
            go_until_the_kill(job, process)
        assert process.ended() == -signal.SIGKILL
        assert len(post.mails()) == 1
        process.spawn(failpoint="relay.after_250")
        assert process.ended() == -signal.SIGKILL
        assert len(post.mails()) == 2
        stack.enter_context(running(settings))
        contact = contact_of(settings, "tom")

        def ends() -> list[Event]:
            found = facts_in(settings.folder)
            mine = [r.event for r in found if r.meta.contact == contact]
            return [event for event in mine if isinstance(event, ENDS)]

        until(ends, "the end")
        [end] = ends()
        assert isinstance(end, RelayUnconfirmed)
        assert (end.attempt, end.reason) == (2, "cut_off")
    assert_one_and_the_same(post.mails(), 2)
    history = facts_in(settings.folder)
    assert judge(history) == []
    assert judge_mails(history, post.mails()) == []
    assert "Traceback" not in process.complaints
