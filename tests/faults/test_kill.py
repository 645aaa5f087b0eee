"""SIGKILL, at every named place and at any moment, of the real process (F1, F2)."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final

import pytest

from services import verbs
from services.compose import opened
from services.embedded import running
from services.envelope.events import RelayAttempted
from shared.events import Recorded
from shared.failpoints import NAMES
from shared.settings import Settings
from tests.faults.process import READY, Died, Job, Process, contact_of, until
from tests.faults.soundness import (
    catch_up,
    facts_in,
    follow_to_the_end,
    unlike_a_rebuild,
    wrong_with_the_trail,
)
from tests.journeys.judge import judge, judge_mails
from tests.journeys.post import Post, listening
from tests.ports import a_quiet_port
from tests.systems import demo_settings

FULL: Final = os.environ.get("LETTERLOCK_SOAK") == "full"
TIMES: Final = 20 if FULL else 1
KILLS: Final = 200 if FULL else 3
MOST: Final = 50  # letters; Anna may send 60 in an hour
SEED: Final = 20_261_125
UNDO: Final = "4"  # s; nobody goes on with a letter before a kill at its sending
PEOPLE: Final = (("tom", "165100-204817"), ("edith", "165100-205306"))

pytestmark = pytest.mark.integration


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a kill at one place leaves, and what it costs in the end."""

    step: str  # of the job that was cut off
    facts: dict[str, int]  # of the envelope, at the moment of death
    mails: int = 0  # out at that moment
    all_mails: int = 1  # in the end
    more: dict[str, int] = field(default_factory=dict)  # than without a kill


SEALED: Final = {"LetterIssued": 1, "EnvelopeSent": 1}
PERMITTED: Final = {**SEALED, "LetterConsigned": 1, "SendPermitted": 1}
INTENDED: Final = {**PERMITTED, "RelayAttempted": 1}
RELAYED: Final = {**INTENDED, "EnvelopeRelayed": 1}
FETCHED: Final = {**RELAYED, "LinkFetched": 1}
VIEWED: Final = {**FETCHED, "EnvelopeViewed": 1}
WHOLE: Final = {**VIEWED, "LetterShown": 1}  # the job without a kill

STATES: Final = {
    "send.before_append": Left(step="sending", facts={"LetterIssued": 1}),
    "send.after_append": Left(step="sending", facts=SEALED),
    "relay.before_intent": Left(
        step="receiving", facts=PERMITTED, more={"SendPermitted": 1}
    ),
    "relay.after_intent": Left(
        step="receiving",
        facts=INTENDED,
        more={"SendPermitted": 1, "RelayAttempted": 1},
    ),
    "relay.after_250": Left(
        step="receiving",
        facts=INTENDED,
        mails=1,
        all_mails=2,
        more={"SendPermitted": 1, "RelayAttempted": 1},
    ),
    "relay.after_record": Left(step="receiving", facts=RELAYED, mails=1),
    "open.before_append": Left(step="opening", facts=FETCHED, mails=1),
    "open.after_append": Left(step="opening", facts=VIEWED, mails=1),
    "read.before_bytes": Left(
        step="opening", facts=VIEWED, mails=1, more={"LetterShown": 1}
    ),
}
"""One row a place: the intent before the mail, the evidence before the bytes."""


def test_the_table_of_states_names_every_place() -> None:
    assert set(STATES) == set(NAMES)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with the demo organisation, to be copied."""
    folder = tmp_path_factory.mktemp("seeded")
    settings = demo_settings(folder)
    verbs.prepare_demo(settings)
    with running(settings) as system:
        verbs.enter_demo(system, settings)
    return settings.data


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def process(tmp_path: Path, seeded: Path, post: Post) -> Iterator[Process]:
    shutil.copytree(seeded, tmp_path / "data")
    settings = replace(demo_settings(tmp_path), smtp_port=a_quiet_port())
    process = Process(settings)
    with ExitStack() as stack:
        stack.enter_context(listening(post, settings.smtp_port))
        stack.callback(process.close)
        yield process


def of_envelopes(history: list[Recorded], contact: str) -> dict[str, int]:
    """Return how many facts of each kind the contact's envelopes have."""
    return dict(
        Counter(
            fact.event.type_name
            for fact in history
            if fact.meta.contact == contact and fact.meta.envelope
        )
    )


def assert_sound(settings: Settings, post: Post, scratch: Path) -> list[Recorded]:
    """Check all that must hold of a folder that no process uses now."""
    with opened(settings) as core:
        follow_to_the_end(core)
        history = facts_in(settings.folder)
        assert judge(history) == []
        assert judge_mails(history, post.mails()) == []
        assert wrong_with_the_trail(core, history) == []
        scratch.mkdir()
        assert unlike_a_rebuild(core, scratch) == []
    return history


def go_until_the_kill(job: Job, process: Process, step: str) -> None:
    """Do the job up to the step that is cut off, and wait if nobody notices it there.

    Raises:
        Died: always.
    """
    job.go(upto=step)
    until(lambda: False, "the kill", alive=process.alive)


@pytest.mark.parametrize("time_", range(TIMES))
@pytest.mark.parametrize("place", NAMES)
def test_a_kill_at_a_named_place_leaves_what_the_table_says_and_loses_nothing(
    process: Process, post: Post, tmp_path: Path, place: str, time_: int
) -> None:
    left, settings = STATES[place], process.settings
    pause = {"LETTERLOCK_UNDO_SECONDS": UNDO} if left.step == "sending" else {}
    process.start(failpoint=place, **pause)
    job = Job(process, post, alive=process.alive)
    try:
        with pytest.raises(Died):
            go_until_the_kill(job, process, left.step)
        assert process.ended() == -signal.SIGKILL
        contact = contact_of(settings, "tom")
        assert of_envelopes(facts_in(settings.folder), contact) == left.facts
        assert len(post.mails()) == left.mails
        assert job.letters == 0
        if left.step != "receiving":  # there the people noticed nothing, or later
            assert left.step not in job.done
        acknowledged = job.envelope
        job.alive = lambda: True
        with running(settings) as again:
            job.go()
            until(
                lambda: (
                    len(post.mails()) >= left.all_mails
                    and of_envelopes(facts_in(settings.folder), contact).get(
                        "EnvelopeRelayed"
                    )
                ),
                "the record of the mail",
            )
            catch_up(again.core)
        assert acknowledged in ("", job.envelope)
    finally:
        job.close()
    history = assert_sound(settings, post, tmp_path / "scratch")
    wanted = Counter(WHOLE) + Counter(left.more)
    assert of_envelopes(history, contact) == dict(wanted)
    assert len(post.mails()) == left.all_mails
    same = {(m.message["Message-ID"], m.recipients) for m in post.mails()}
    assert len(same) == 1
    attempts = [f.event for f in history if isinstance(f.event, RelayAttempted)]
    assert [a.repeat for a in attempts] == [False, True][: len(attempts)]
    assert "Traceback" not in process.complaints


def test_kills_at_any_moment_lose_nothing_that_was_acknowledged(
    process: Process, post: Post, tmp_path: Path
) -> None:
    rng = Random(SEED)  # noqa: S311  # a schedule, not a secret
    crowd = Crowd(process, post)
    try:
        for kill in range(KILLS):
            early = kill % 3 == 1  # in the middle of a start
            (process.spawn if early else process.start)()
            delay = rng.uniform(0.1, 1.5) if early else rng.uniform(0.05, 3)
            killer = threading.Timer(delay, process.kill)
            killer.start()
            with pytest.raises(Died):
                crowd.carry_on(until_ready=early)
            killer.join()
            assert process.ended() == -signal.SIGKILL
        process.start()
        crowd.finish()
        assert process.stop()[0] == 0
    finally:
        crowd.close()
    assert "Traceback" not in process.complaints
    history = assert_sound(process.settings, post, tmp_path / "scratch")
    sent = {f.meta.envelope for f in history if f.event.type_name == "EnvelopeSent"}
    assert {job.envelope for job in crowd.jobs} == sent
    shown = Counter(
        fact.meta.envelope
        for fact in history
        if fact.event.type_name in ("EnvelopeViewed", "LetterShown")
    )
    for job in crowd.jobs:
        assert shown[job.envelope] >= job.letters > 0
    letters, mails = len(crowd.jobs), len(post.mails())
    print(f"{KILLS} kills, {letters} letters, {mails} mails")  # noqa: T201


@dataclass(slots=True)
class Crowd:
    """Anna, who goes on sending, and the people who go on reading."""

    process: Process
    post: Post
    jobs: list[Job] = field(default_factory=list)

    def carry_on(self, *, until_ready: bool) -> None:
        """Work until the process dies. Raises Died then."""
        process = self.process
        if until_ready:
            until(lambda: READY in process.told, "the start", alive=process.alive)
        while True:
            self.finish()
            if len(self.jobs) < MOST:
                self.jobs.append(self._next())
            else:
                self.jobs[-1].done.remove("reading")

    def finish(self) -> None:
        """Finish what was begun."""
        for job in self.jobs:
            job.go()

    def close(self) -> None:
        """Close all browsers."""
        for job in self.jobs:
            job.close()

    def _next(self) -> Job:
        process = self.process
        person, record = PEOPLE[len(self.jobs) % len(PEOPLE)]
        job = Job(process, self.post, person, record, process.alive)
        if self.jobs:  # the same Anna
            job.anna.close()
            job.anna, job.done = self.jobs[0].anna, ["signing_in"]
        return job
