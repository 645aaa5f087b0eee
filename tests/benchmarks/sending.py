"""Sends letters over anything that offers the operations, and says how long it took."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.compose import Apis
from services.crm.commands import CreateContact
from services.demo_data import DemoOrganisation
from services.envelope.commands import SendLetter
from services.portal.commands import InviteStaff
from shared.context import CallContext
from shared.ids import mint
from shared.mailbox import Mail, Mailbox

PAGE: Final = "165120"  # an open letter: the family name opens it
FAMILY: Final = "Penhallow"
CEILING: Final = 50  # letters of one sender; the product allows 60 an hour
TURN: Final = 40  # letters
ARRIVAL: Final = 120.0  # s the mails of a stage may take
LINK: Final = re.compile(r"/e/([a-z2-7]{32})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One stage of sending."""

    letters: int
    accepted: float  # s that one send took: sealed, rendered, durable
    mailed: float  # s for each letter until the last mail lay in the mailbox
    tokens: list[str]  # of the links


def joined(stages: Sequence[Sent]) -> Sent:
    """Return several stages as one: what a letter took is the mean over all letters."""
    letters = sum(stage.letters for stage in stages)
    return Sent(
        letters=letters,
        accepted=sum(each.accepted * each.letters for each in stages) / letters,
        mailed=sum(each.mailed * each.letters for each in stages) / letters,
        tokens=[token for each in stages for token in each.tokens],
    )


def turns(letters: int) -> list[int]:
    """Return how many letters to send in each turn, when two systems take turns."""
    return [min(TURN, letters - sent) for sent in range(0, letters, TURN)]


class Sending:
    """The demo's pages, with as many senders and recipients as it takes."""

    def __init__(self, apis: Apis, mailbox: Mailbox) -> None:
        """Enter the demo organisation; `apis` as the portal may use them."""
        self._apis = apis
        self._mailbox = mailbox
        self._people = 0
        self._sender = ""
        self._admin = (
            DemoOrganisation(
                staff=apis.staff,
                crm=apis.crm,
                letters=apis.letters,
                envelope=apis.envelope,
                seed=mint(),
            )
            .enter()
            .staff["ada"]
        )

    def send(self, letters: int) -> Sent:
        """Send one letter to each of so many new people; wait for their mails.

        Raises:
            TimeoutError: a mail did not arrive.
        """
        pairs = [self._pair() for _ in range(letters)]
        before = len(self._mailbox.mails())
        accepted, begin = 0.0, time.perf_counter()
        for sender, person in pairs:
            letter = SendLetter(
                contact_id=person, page=PAGE, sender_name="Ms Anna Ferris"
            )
            start = time.perf_counter()
            self._apis.envelope.send(letter, staff_context(sender, "sender"))
            accepted += time.perf_counter() - start
        mails = self._arrived(before, letters)
        mailed = time.perf_counter() - begin
        found = (LINK.search(mail.part("plain")) for mail in mails)
        return Sent(
            letters=letters,
            accepted=accepted / letters,
            mailed=mailed / letters,
            tokens=[link[1] for link in found if link],
        )

    def _arrived(self, before: int, letters: int) -> list[Mail]:
        last = before + letters
        if self._mailbox.wait_for(lambda mail: mail.number == last, ARRIVAL) is None:
            message = f"mail {last} did not arrive"
            raise TimeoutError(message)
        return [mail for mail in self._mailbox.mails() if mail.number > before]

    def _pair(self) -> tuple[str, str]:
        """Return a sender who may still send, and a new recipient."""
        if self._people % CEILING == 0:
            self._sender = self._apis.staff.invite(
                InviteStaff(
                    formal_name="Ms Anna Ferris",
                    email=f"sender{self._people}@harbourvale.example",
                    roles=("sender",),
                ),
                staff_context(self._admin, "admin"),
            ).ref
        self._people += 1
        person = a_person(self._people)
        context = staff_context(self._sender, "sender")
        return self._sender, self._apis.crm.create(person, context).ref


def a_person(number: int) -> CreateContact:
    """Return who gets a letter."""
    return CreateContact(
        kind="customer",
        title="Mx",
        given="Robin",
        family=FAMILY,
        email=f"robin{number}@people.example",
    )


def staff_context(actor: str, role: str) -> CallContext:
    """Return the context of a new command of a member of staff."""
    command_id = mint()
    return CallContext(
        command_id=command_id,
        correlation_id=command_id,
        actor_id=actor,
        actor_kind="staff",
        role=role,
    )
