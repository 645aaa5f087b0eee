"""A whole organisation in this process: real SQLite, real SMTP, followers as threads.

The timers do not run: a test calls the postman and the expirer when it wants them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import UUID

from services import compose
from services.compose import Apis, Core, create_data, holds_organisation
from services.crm.commands import CreateContact
from services.demo_data import DemoIds, DemoOrganisation
from services.envelope.api import Sent, Ticket
from services.envelope.commands import OpenEnvelope, SendLetter
from services.envelope.model.words import reference_of
from services.ground import grounded
from services.letters.commands import ApprovePage, DraftPage, SubmitPage
from shared.clock import Clock
from shared.context import CallContext
from shared.eventstore.port import NO_STREAM, Appended, Journal, RawEvent, RawRecord
from shared.eventstore.sqlite import SqliteJournal
from shared.follow import FollowerThread
from shared.ids import mint
from shared.mailbox import Mail
from shared.rebuild import head_of
from shared.settings import Settings
from tests.journeys.post import Post, listening, token_of
from tests.ports import a_quiet_port
from tests.waiting import LONG, until

SEED: Final = UUID("01a210a6-0000-7000-8000-000000000001")
BROWSER: Final = "b" * 43
WELCOME: Final = "165120"  # a page of the demo that anybody may open by name
NAME: Final = "Jones"


class PowerCut(Exception):
    """The process ended here, as far as this command can tell."""


@dataclass(slots=True)
class CutAt:
    """Failpoints that end a command, not the process, at one place, once."""

    name: str = ""

    def hit(self, name: str) -> None:
        """End the command here if this is the place."""
        if name == self.name:
            self.name = ""
            raise PowerCut(name)


@dataclass(slots=True)
class CutJournal:
    """A journal that fails once, around the n-th append of the thread that armed it."""

    journal: Journal
    _left: int = -1
    _after: bool = False
    _thread: int = 0

    def arm(self, appends: int, *, after: bool) -> None:
        """Fail at the append that follows `appends` good ones, before or after it."""
        self._left, self._after = appends, after
        self._thread = threading.get_ident()

    def disarm(self) -> bool:
        """Fail no more; say whether it did not come to that."""
        unused, self._left = self._left >= 0, -1
        return unused

    def append(
        self, stream: str, events: Sequence[RawEvent], *, expected: int
    ) -> Appended:
        """As the journal, unless this is the append to fail at."""
        if self._left < 0 or threading.get_ident() != self._thread:
            return self.journal.append(stream, events, expected=expected)
        self._left -= 1
        if self._left >= 0:
            return self.journal.append(stream, events, expected=expected)
        if self._after:
            self.journal.append(stream, events, expected=expected)
        raise PowerCut(stream)

    def read(self, stream: str, *, after: int = NO_STREAM) -> Iterator[RawRecord]:
        """As the journal."""
        return self.journal.read(stream, after=after)

    def read_all(self, after: int, limit: int) -> Sequence[RawRecord]:
        """As the journal."""
        return self.journal.read_all(after, limit)

    def wait(self, after: int, timeout: float) -> bool:
        """As the journal."""
        return self.journal.wait(after, timeout)

    def close(self) -> None:
        """As the journal."""
        self.journal.close()


@dataclass(slots=True)
class Town:
    """What tests ask of the organisation."""

    core: Core
    ids: DemoIds
    journal: CutJournal
    mailbox: Post
    failpoints: CutAt
    threads: list[FollowerThread] = field(default_factory=list)

    @property
    def staff(self) -> Apis:
        """Return the operations as the portal has them."""
        return self.core.apis("portal")

    @property
    def public(self) -> Apis:
        """Return the operations as the viewer has them."""
        return self.core.apis("viewer")

    def by(self, role: str, command_id: UUID | None = None) -> CallContext:
        """Return the context of a command by a fresh member of staff in `role`.

        Repeated, a command comes from the same person.
        """
        return _context("staff", role, command_id, (command_id or mint()).hex)

    def visitor(self, command_id: UUID | None = None) -> CallContext:
        """Return the context of whoever holds a link."""
        return _context("recipient", "recipient", command_id, "recipient")

    def a_contact(self, **details: str) -> str:
        """Enter a new person; return the contact id."""
        who = {"title": "Mr", "given": "Tom", "family": NAME, **details}
        who.setdefault("email", f"tom.{mint().hex}@people.example")
        return self.staff.crm.create(CreateContact(**who), self.by("sender")).ref

    def a_page(self, **approval: Any) -> str:
        """Write and approve a new page, open by name unless said otherwise."""
        letters = self.staff.letters
        body = "{{salutation}}\n\nA few plain words.\n\n{{sender_name}}"
        draft = DraftPage(title="A few words", body=body)
        page = letters.draft(draft, self.by("author")).ref
        letters.submit(SubmitPage(page=page, revision=1), self.by("author"))
        how = {"letter_class": "open", **approval}
        letters.approve(ApprovePage(page=page, revision=1, **how), self.by("executive"))
        return page

    def a_letter(self, contact: str, page: str = WELCOME, **more: Any) -> SendLetter:
        """Return the request to send a page to a contact."""
        return SendLetter(
            contact_id=contact, page=page, sender_name="Ms Anna Ferris", **more
        )

    def send(
        self, contact: str, page: str = WELCOME, context: CallContext | None = None
    ) -> Sent:
        """Send a page to a contact."""
        letter = self.a_letter(contact, page)
        return self.staff.envelope.send(letter, context or self.by("sender"))

    def caught_up(self) -> None:
        """Wait until the read models show all that is in the store."""
        head = head_of(self.core.store)
        for part in self.core.followed:
            names = [projection.name for projection in part.projections]
            assert part.readmodel.await_position(head, *names, timeout=LONG)

    def drain(self) -> None:
        """Let the postman do all that others have left in the outbox."""
        self.caught_up()
        while self.core.envelope.postman.run_once():
            self.caught_up()

    def post(self, envelope_id: str) -> Mail:
        """Let the postman work until the mail of an envelope came; return it."""
        return until(lambda: self._posted(envelope_id), "the mail")

    def _posted(self, envelope_id: str) -> Mail | None:
        self.core.envelope.postman.run_once()
        found = self.mails_of(envelope_id)
        return found[-1] if found else None

    def mails_of(self, envelope_id: str) -> list[Mail]:
        """Return the mails that carried an envelope's link, oldest first."""
        return self.mailbox.about(reference_of(envelope_id))

    def open(self, token: str, context: CallContext | None = None) -> Ticket:
        """Open a letter that asks for the family name."""
        return self.public.envelope.open(
            OpenEnvelope(token=token, browser=BROWSER, answer=NAME),
            context or self.visitor(),
        )

    def an_open_door(self, **more: Any) -> tuple[str, str]:
        """Send and post a letter to a new contact; return envelope id and token."""
        letter = self.a_letter(self.a_contact(), **more)
        sent = self.staff.envelope.send(letter, self.by("sender"))
        return sent.envelope_id, token_of(self.post(sent.envelope_id))


def _context(
    kind: Any, role: str, command_id: UUID | None, actor_id: str
) -> CallContext:
    command_id = command_id or mint()
    return CallContext(
        command_id=command_id,
        correlation_id=command_id,
        actor_id=actor_id,
        actor_kind=kind,
        role=role,
    )


def race(
    pool: ThreadPoolExecutor,
    rng: Random,
    *acts: Callable[[], object],
    spread: float = 0.012,
) -> list[object]:
    """Run acts at the same time, each up to `spread` s late; return results, errors."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object], late: float) -> object:
        start.wait(LONG)
        time.sleep(late)
        try:
            return act()
        except Exception as error:  # noqa: BLE001  # judged by the test
            return error

    lates = [rng.choice((0.0, rng.uniform(0, spread))) for _ in acts]
    waiting = [pool.submit(run, a, late) for a, late in zip(acts, lates, strict=True)]
    return [one.result(2 * LONG) for one in waiting]


@contextmanager
def a_town(
    folder: Path, *, clock: Clock | None = None, post: Post | None = None
) -> Iterator[Town]:
    """Found the organisation in `folder`, or come back to it after a crash."""
    mailbox = post or Post()
    with ExitStack() as stack:
        port = a_quiet_port()
        stack.enter_context(listening(mailbox, port))
        settings = Settings.from_env(
            {
                "LETTERLOCK_DATA": str(folder),
                "LETTERLOCK_UNDO_SECONDS": "0",
                "LETTERLOCK_SMTP_PORT": str(port),
            }
        )
        if not holds_organisation(settings.folder):
            create_data(settings.folder)
        cuts = CutAt()
        journals: list[CutJournal] = []

        def over(file: SqliteJournal) -> CutJournal:
            journals.append(CutJournal(file))
            return journals[0]

        ground = grounded(settings, clock=clock, failpoints=cuts, over=over)
        core = compose._join(stack.enter_context(ground))
        threads = [FollowerThread(follower) for follower in core.followers()]
        for thread in threads:
            thread.start()
            stack.callback(thread.stop)
        stack.callback(core.envelope.postman.close)
        apis = core.apis("portal")
        organisation = DemoOrganisation(
            staff=apis.staff,
            crm=apis.crm,
            letters=apis.letters,
            envelope=apis.envelope,
            seed=SEED,
        )
        yield Town(
            core=core,
            ids=organisation.enter(),
            journal=journals[0],
            mailbox=mailbox,
            failpoints=cuts,
            threads=threads,
        )
