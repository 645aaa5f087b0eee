"""The product as a process of its own, to be killed, and the people who use it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

import requests

from services.browser import Browser
from services.demo_data import ACKNOWLEDGED, PEOPLE, REQUESTS
from services.envelope.model.words import reference_of
from shared.ids import derived, derived_hex
from shared.settings import Settings
from tests.journeys.post import Post, token_of
from tests.waiting import LONG

T = TypeVar("T")
ROOT: Final = Path(__file__).parent.parent.parent
READY: Final = "Stop with Ctrl+C."
PATIENCE: Final = 2 * LONG  # s until something that must come is given up
LINK: Final = re.compile(r"^\s+(\w+) .*(http\S+/sign-in/link/\S+)$", re.MULTILINE)
ENVELOPE: Final = re.compile(r"/messages/([0-9a-f]{32})")
GONE: Final = (
    requests.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
)
WORDS: Final = "five working days"  # of the letter, nowhere else
NOT_ITS: Final = ("LETTERLOCK_", "AIOSMTPD_")  # variables that are for us alone


class Died(Exception):
    """The process ended while somebody waited for it."""


def until(
    wanted: Callable[[], T | None],
    what: str,
    *,
    alive: Callable[[], bool] = lambda: True,
) -> T:
    """Return the first true answer of `wanted`.

    Raises:
        Died: the process ended first.
    """
    deadline = time.monotonic() + PATIENCE
    while not (found := wanted()):
        if not alive():
            raise Died(what)
        assert time.monotonic() < deadline, f"{what} did not come in {PATIENCE} s"
        time.sleep(0.01)
    return found


@dataclass(slots=True)
class Process:
    """`letterlock run` on one data folder, in one life after another."""

    settings: Settings
    demo: bool = True
    prints: Path | None = None  # folder of what it prints
    lives: int = 0
    _running: subprocess.Popen[bytes] | None = None

    @property
    def told(self) -> str:
        """Return what this life has printed so far."""
        return self._file("out").read_text()

    @property
    def complaints(self) -> str:
        """Return what all lives have written to standard error."""
        return "".join(
            self._file("err", life).read_text() for life in range(1, self.lives + 1)
        )

    @property
    def last_complaint(self) -> str:
        """Return what this life has written to standard error."""
        return self._file("err").read_text()

    @property
    def sign_in(self) -> dict[str, str]:
        """Return the one-time links of this life, by role."""
        return dict(LINK.findall(self.told))

    def spawn(self, *, failpoint: str = "", **more: str) -> None:
        """Begin a life, armed to be killed at `failpoint`; does not wait for it."""
        self.lives += 1
        settings = self.settings
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(NOT_ITS)},
            "LETTERLOCK_FAILPOINT": failpoint,
            "LETTERLOCK_UNDO_SECONDS": str(int(settings.undo_window.total_seconds())),
            "LETTERLOCK_SMTP_PORT": str(settings.smtp_port),
            **more,
        }
        command = [sys.executable, "-m", "services", "run"]
        command += ["--demo"] if self.demo else []
        command += [
            "--data",
            str(settings.data),
            "--port-base",
            f"{settings.port_base}",
        ]
        with self._file("out").open("wb") as out, self._file("err").open("wb") as err:
            self._running = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=out, stderr=err
            )

    def start(self, *, failpoint: str = "", **more: str) -> None:
        """Begin a life and wait until it serves."""
        self.spawn(failpoint=failpoint, **more)
        until(lambda: READY in self.told, "the start", alive=self.alive)

    def alive(self) -> bool:
        """Say whether it runs."""
        return self._running is not None and self._running.poll() is None

    def ended(self) -> int:
        """Wait for the end of this life; return its status, negative for a signal."""
        assert self._running is not None
        return self._running.wait(PATIENCE)

    def kill(self) -> None:
        """End this life as a power cut would."""
        assert self._running is not None
        self._running.kill()
        self._running.wait(PATIENCE)

    def stop(self) -> tuple[int, float]:
        """Ask it to end, as a service manager does; return status and seconds."""
        assert self._running is not None
        began = time.monotonic()
        self._running.send_signal(signal.SIGTERM)
        return self._running.wait(PATIENCE), time.monotonic() - began

    def close(self) -> None:
        """Make sure that nothing is left running."""
        if self.alive():
            self.kill()

    @property
    def pid(self) -> int:
        """Return the process id of this life."""
        assert self._running is not None
        return self._running.pid

    def _file(self, kind: str, life: int = 0) -> Path:
        folder = self.prints or self.settings.data.parent
        return folder / f"{kind}-{life or self.lives}.txt"


@dataclass(slots=True)
class Job:
    """The main job over HTTP: Anna sends Tom a letter, Tom opens and reads it.

    Told to go on after a crash it repeats the step that was cut off, as a person would
    by pressing the same button again: the same form, the same command id.
    """

    process: Process
    post: Post
    person: str = "tom"
    record: str = REQUESTS[0][0]
    alive: Callable[[], bool] = lambda: True
    anna: Browser = field(default_factory=Browser)
    tom: Browser = field(default_factory=Browser)
    envelope: str = ""
    letters: int = 0  # times that letter bytes came
    done: list[str] = field(default_factory=list)
    _token: str = ""

    def go(self, *, upto: str = "") -> None:
        """Do the steps that are left, all or up to one of them.

        Raises:
            Died: the process ended; the step at hand is not done.
        """
        for step in (
            self.signing_in,
            self.filling_in,
            self.sending,
            self.receiving,
            self.knocking,
            self.opening,
            self.reading,
        ):
            if step.__name__ not in self.done:
                try:
                    step()
                except GONE as gone:
                    raise Died(step.__name__) from gone
                self.done.append(step.__name__)
            if step.__name__ == upto:
                return

    def close(self) -> None:
        """Close both browsers."""
        self.anna.close()
        self.tom.close()

    @property
    def _portal(self) -> str:
        return f"http://127.0.0.1:{self.process.settings.portal_port}"

    @property
    def _viewer(self) -> str:
        return f"http://localhost:{self.process.settings.viewer_port}"

    def signing_in(self) -> None:
        """Use the printed link."""
        self.anna.get(self.process.sign_in["sender"])
        page = self.anna.submit("Sign in")
        assert page.status == 200, page.text

    def filling_in(self) -> None:
        """Fill in the two fields, up to the page that asks to be sure."""
        contact = contact_of(self.process.settings, self.person)
        self.anna.get(f"{self._portal}/contacts/{contact}/new")
        page = self.anna.fill(page=ACKNOWLEDGED, record=self.record, act="send")
        assert page.title.startswith("Check before sending"), page.text

    def sending(self) -> None:
        """Press Send."""
        page = self.anna.submit("Yes, send this letter")
        found = ENVELOPE.search(page.address)
        assert found, page.text
        self.envelope = found.group(1)

    def receiving(self) -> None:
        """Wait for the envelope in Tom's mailbox."""
        reference = reference_of(self.envelope)
        mails = until(
            lambda: self.post.about(reference), "the envelope", alive=self.alive
        )
        self._token = token_of(mails[-1])

    def knocking(self) -> None:
        """Follow the link."""
        page = self.tom.get(f"{self._viewer}/e/{self._token}")
        assert WORDS not in page.text

    def opening(self) -> None:
        """Give the answer; the page after it is the letter."""
        answer = PEOPLE[self.person].postcode or self.record
        page = self.tom.submit("Open the letter", answer=answer)
        assert WORDS in page.text, page.text
        self.letters += 1

    def reading(self) -> None:
        """Load the letter once more."""
        page = self.tom.get(f"{self._viewer}/letter")
        assert WORDS in page.text, page.text
        self.letters += 1


def contact_of(settings: Settings, person: str) -> str:
    """Return the id of a person of the demo."""
    seed = UUID((settings.data / "demo-seed").read_text().strip())
    return derived_hex(derived(seed, f"contact {person}"), "contact")
