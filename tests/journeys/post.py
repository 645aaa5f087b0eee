"""A mail relay for tests that keeps every mail for good, told apart by its link."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from typing_extensions import override

from shared.clock import SystemClock
from shared.mailbox import Mail, Mailbox, MailSink

TOKEN = re.compile(r"/e/([a-z2-7]{32})")
REFERENCE = re.compile(r"\b\d{4}-\d{4}\b")


def token_of(mail: Mail) -> str:
    """Return the token of the letter link in a mail."""
    found = TOKEN.search(mail.part("plain"))
    assert found, "a mail without a link"
    return found.group(1)


class Post(Mailbox):
    """A mailbox that lets nothing go and outlives the system that is tested."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(SystemClock())
        self._all: list[Mail] = []
        self._by_reference: defaultdict[str, list[Mail]] = defaultdict(list)
        self._order = threading.Lock()

    @override
    def take(self, recipients: tuple[str, ...], source: bytes) -> None:
        """Keep one mail."""
        with self._order:
            mail = Mail(
                number=len(self._all) + 1,
                received_at=SystemClock().now(),
                recipients=recipients,
                source=source,
            )
            self._all.append(mail)
            for reference in set(REFERENCE.findall(mail.part("plain"))):
                self._by_reference[reference].append(mail)
        super().take(recipients, source)  # for who waits

    @override
    def mails(self) -> list[Mail]:
        """Return every mail, oldest first."""
        with self._order:
            return list(self._all)

    def about(self, reference: str) -> list[Mail]:
        """Return the mails that quote a reference, oldest first."""
        with self._order:
            return list(self._by_reference[reference])


@contextmanager
def listening(post: Post, port: int) -> Iterator[None]:
    """Take mail for `post` on a port of loopback."""
    sink = MailSink(post, port)
    sink.start()
    try:
        yield
    finally:
        sink.stop()
