"""The main job, done headless over real HTTP and SMTP as people would do it.

`letterlock demo` walks it on a fresh folder and checks what must hold.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.audit.api import TrailLine
from services.audit.commands import GetTimeline, GetTrail
from services.browser import Browser
from services.console import Console
from services.demo_data import ACKNOWLEDGED, PEOPLE, REQUESTS, TARIFF, DemoIds
from services.embedded import Running
from shared.context import CallContext
from shared.errors import Fault
from shared.ids import mint
from shared.mailbox import Mail

PATIENCE: Final = 60.0  # seconds for a mail to arrive or a list to catch up
LETTER_LINK: Final = re.compile(r"https?://[^/\s\"]+/e/[a-z2-7]{32}")
ENVELOPE: Final = re.compile(r"/messages/([0-9a-f]{32})")
TOM, RECORD = PEOPLE["tom"], REQUESTS[0][0]
EDITHS: Final = next(key for key, author, _ in REQUESTS if author == "edith")
TITLE: Final = "Complaint acknowledged"
SAID_IN_LETTER: Final = "five working days"
SHUT: Final = 410


class WalkFailed(Fault):
    """A step of the walk did not lead where it must; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What a walk found, as `letterlock demo --json` prints it."""

    contact: str
    page: str
    record: str
    envelope: str
    mail: dict[str, object]  # headers and text
    timeline: list[dict[str, object]]  # event, etsi, at, grade; oldest first
    checks: dict[str, bool] = field(default_factory=dict)

    def text(self) -> str:
        """Return the timeline and the checks as lines for a person."""
        lines = [
            f"{line['at']}  {line['event']:<22}"
            + (f"grade {line['grade']}" if line["grade"] is not None else "")
            for line in self.timeline
        ]
        marks = [
            f"{'holds ' if held else 'FAILED'}  {name.replace('_', ' ')}"
            for name, held in self.checks.items()
        ]
        return "\n".join([*lines, "", *marks])


class Walk:
    """Walks the main job once over a running demo."""

    def __init__(
        self, system: Running, ids: DemoIds, sign_in: str, console: Console
    ) -> None:
        """Walk `system` as Anna, who signs in by the one-time link `sign_in`."""
        self._system = system
        self._ids = ids
        self._sign_in = sign_in
        self._console = console
        self._anna = Browser()
        self._tom = Browser()
        self._checks: dict[str, bool] = {}

    def go(self) -> Walked:
        """Do every step and return what was found.

        Raises:
            WalkFailed: a page, a mail or a fact did not come.
        """
        try:
            self._find_contact()
            self._be_refused()
            envelope = self._send()
            mail = self._receive()
            link = self._fetch_only(mail, envelope)
            self._open(link, envelope)
            self._disable(link, envelope)
            return self._told(mail, envelope)
        finally:
            self._anna.close()
            self._tom.close()

    def _find_contact(self) -> None:
        self._say("Anna signs in and finds Mr Tom Jones")
        self._anna.get(self._sign_in)
        self._anna.submit("Sign in")
        self._checks["both_look_alikes_found"] = self._anna_sees(
            "/contacts?q=jones+tom", "Mr Tom Jones", "Mr Tomas Jones"
        )
        self._anna.get(f"{self._system.portal}/contacts/{self._contact}")
        self._anna.follow("Add new")

    def _be_refused(self) -> None:
        self._say("A request of somebody else and a draft are refused")
        page = self._anna.fill(page=ACKNOWLEDGED, record=EDITHS, act="send")
        self._checks["foreign_record_refused"] = (
            "belongs to another person" in page.text
            and self._on_trail("record_not_theirs")
        )
        page = self._anna.fill(page=TARIFF, record="", act="send")
        self._checks["unapproved_refused"] = (
            "not approved" in page.text and self._on_trail("letter_not_approved")
        )

    def _send(self) -> str:
        self._say("The letter is looked at, checked and sent")
        page = self._anna.fill(page=ACKNOWLEDGED, record=RECORD, act="preview")
        self._checks["preview_addresses_the_person"] = (
            "Dear Mr Tom Jones" in page.text and SAID_IN_LETTER in page.text
        )
        self._anna.fill(page=ACKNOWLEDGED, record=RECORD, act="send")
        # Without script, the Check page comes first.
        page = self._anna.submit("Yes, send this letter")
        found = ENVELOPE.search(page.address)
        if found is None:
            raise WalkFailed(f"sending led to {page.title!r}")
        return found.group(1)

    def _receive(self) -> Mail:
        self._say("The envelope arrives")
        mail = self._system.mailbox.wait_for(
            lambda mail: mail.recipients == (TOM.email,), PATIENCE
        )
        if mail is None:
            raise WalkFailed("no envelope arrived")
        text = mail.part("plain") + mail.part("html") + str(mail.message)
        private = (TITLE, RECORD, TOM.postcode, SAID_IN_LETTER, ACKNOWLEDGED)
        self._checks["no_private_text_in_mail"] = not any(
            word.casefold() in text.casefold() for word in private
        )
        self._checks["mail_has_one_recipient_and_one_letter_link"] = (
            len(mail.recipients) == 1
            and len(LETTER_LINK.findall(mail.part("plain"))) == 1
        )
        return mail

    def _fetch_only(self, mail: Mail, envelope: str) -> str:
        self._say("Machines fetch the link: not a view")
        found = LETTER_LINK.search(mail.part("plain"))
        if found is None:
            raise WalkFailed("the envelope holds no link")
        link = found.group()
        machine = Browser()
        for _ in range(3):
            machine.get(link)
        machine.head(link)
        machine.fill(answer="")
        machine.close()
        names = [line.event for line in self._timeline(envelope, "LinkFetched")]
        self._checks["get_is_not_a_view"] = (
            "LinkFetched" in names and "EnvelopeViewed" not in names
        )
        return link

    def _open(self, link: str, envelope: str) -> None:
        self._say("Tom gives his postcode and reads")
        self._tom.get(link)
        page = self._tom.submit("Open the letter", answer="zz1 1aa")
        self._checks["letter_is_what_was_sent"] = (
            "Dear Mr Tom Jones" in page.text and SAID_IN_LETTER in page.text
        )
        lines = self._timeline(envelope, "EnvelopeViewed")
        views = [line for line in lines if line.event == "EnvelopeViewed"]
        self._checks["viewed_at_grade"] = [(v.grade, v.means) for v in views] == [
            (3, "postcode")
        ] and self._anna_sees(f"/contacts/{self._contact}", "grade 3, postcode")

    def _disable(self, link: str, envelope: str) -> None:
        self._say("The envelope is switched off: link and open page are shut")
        self._anna.get(f"{self._system.portal}/messages/{envelope}/expiry")
        page = self._anna.fill(
            day=["1", "1", "2000"], time="00:00", reason="wrong_person"
        )
        tab = self._tom.get(f"{self._system.viewer}/letter")
        door = self._tom.get(link)
        self._checks["disabled_link_shut"] = (
            tab.status == door.status == SHUT
            and SAID_IN_LETTER not in tab.text + door.text
            and f"/messages/{envelope}" in page.address
        )

    def _told(self, mail: Mail, envelope: str) -> Walked:
        return Walked(
            contact=self._contact,
            page=ACKNOWLEDGED,
            record=RECORD,
            envelope=envelope,
            mail={
                "headers": {name: str(value) for name, value in mail.message.items()},
                "text": mail.part("plain"),
            },
            timeline=[
                {
                    "event": line.event,
                    "etsi": line.etsi,
                    "at": line.at.isoformat(),
                    "grade": line.grade,
                }
                for line in self._timeline(envelope, "EnvelopeExpiryChanged")
            ],
            checks=self._checks,
        )

    @property
    def _contact(self) -> str:
        return self._ids.contacts["tom"]

    def _say(self, line: str) -> None:
        self._console.say(line)

    def _officer(self) -> CallContext:
        command_id = mint()
        return CallContext(
            command_id=command_id,
            correlation_id=command_id,
            actor_id=self._ids.staff["dev"],
            actor_kind="staff",
            role="compliance",
        )

    def _anna_sees(self, place: str, *words: str) -> bool:
        """Load a page of the portal until it says all `words`: lists come later."""

        def look() -> bool:
            text = self._anna.get(self._system.portal + place).text
            return all(word in text for word in words)

        return _patiently(look)

    def _timeline(self, envelope: str, wanted: str) -> tuple[TrailLine, ...]:
        """Return the envelope's facts once `wanted` is among them, or after all."""
        lines: tuple[TrailLine, ...] = ()

        def look() -> bool:
            nonlocal lines
            lines = self._system.apis.audit.timeline(
                GetTimeline(envelope_id=envelope), self._officer()
            ).lines
            return any(line.event == wanted for line in lines)

        _patiently(look)
        return lines

    def _on_trail(self, reason: str) -> bool:
        def look() -> bool:
            trail = self._system.apis.audit.trail(
                GetTrail(type_name="Refused"), self._officer()
            )
            return any(line.reason == reason for line in trail.lines)

        return _patiently(look)


def sealed_at_rest(data: Path) -> bool:
    """Say whether no private word of the walk lies plain below `data`.

    To be asked once the system has stopped: to open a database as a plain file, in a
    process that has it open in SQLite, would take that process's locks away.
    """
    words = (
        TOM.given + " " + TOM.family,
        TOM.email,
        TOM.postcode,
        SAID_IN_LETTER,
        REQUESTS[0][2]["story"],
    )
    needles = [word.encode(code) for word in words for code in ("utf-8", "utf-16-le")]
    held = [path.read_bytes() for path in data.rglob("*") if path.is_file()]
    return not any(needle in content for content in held for needle in needles)


def _patiently(look: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while not look():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def free_port_base(start: int = 18400) -> int:
    """Return a port from which all ports the product uses are free just now."""
    for base in range(start, 60000, 50):
        if all(_is_free(base + offset) for offset in (0, 1, 2, 25, 30, 31, 32)):
            return base
    raise WalkFailed("no free ports on this machine")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
