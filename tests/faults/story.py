"""Everything that anybody can do, done with words that must never be found."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

from services.audit.commands import GetTrail
from services.browser import Browser
from services.crm.api import ContactPage
from services.crm.commands import (
    ChangeContact,
    CreateContact,
    ForgetContact,
    GetContact,
    SearchContacts,
    SetStop,
)
from services.embedded import Running
from services.envelope.commands import (
    AskCode,
    AskFresh,
    CancelSend,
    GetAttention,
    GetChoices,
    GetMessage,
    GetMessages,
    Knock,
    OpenEnvelope,
    PreviewSend,
    ReadLetter,
    RenewLink,
    SendLetter,
    SetChoice,
    SetExpiry,
)
from services.letters.commands import (
    ApprovePage,
    DraftPage,
    GetPage,
    GetRecord,
    PreviewMarkup,
    ReturnPage,
    SaveRecord,
    SearchPages,
    SearchRecords,
    SubmitPage,
    WithdrawPage,
)
from services.portal.commands import InviteStaff, SetPassword, SignIn
from shared.context import CallContext
from shared.errors import DomainError
from shared.ids import mint
from shared.mailbox import Mail
from tests.faults.canaries import search
from tests.journeys.post import token_of
from tests.waiting import until

PERSON: Final = CreateContact(
    title="Ms",
    given="Quillonbÿ",
    family="Zaverdïne-Oslund",
    email="canary.zaverdine77@people.example",
    postcode="ZZ8 3KX",
    birth_date="1957-09-23",
    customer_reference="HV-99173-Q",
    company="Wexcombe Traders",
)
CHANGED: Final = replace(
    PERSON, family="Ostrevànt", email="canary.ostrevant41@people.example"
)
STORY: Final = "My lodger Perrault saw the ledger burn."
BODY: Final = "The heron waits beside the culvert."
PASSWORD: Final = "copper-lantern-seventeen-geese"
STAFF_NAME: Final = "Dr Ysolde Marchbanks"
STAFF_EMAIL: Final = "canary.marchbanks8@people.example"
OF_THE_PERSON: Final = {
    "given": PERSON.given,
    "family": PERSON.family,
    "folded family": "zaverdine",
    "new family": CHANGED.family,
    "address": "canary.zaverdine77",
    "new address": "canary.ostrevant41",
    "postcode": PERSON.postcode,
    "birth date": PERSON.birth_date,
    "reference": PERSON.customer_reference,
    "company": PERSON.company,
    "story": STORY,
}
OF_THE_HOUSE: Final = {
    "letter text": BODY,
    "password": PASSWORD,
    "member of staff": "Marchbanks",
    "address of staff": "canary.marchbanks8",
}
BROWSER: Final = "canary-browser-" + "b" * 30
CODE: Final = re.compile(r"Your code is ([0-9]{6})")


@dataclass(slots=True)
class Story:
    """Everything that anybody can do, done with the private words."""

    system: Running
    words: dict[str, str] = field(default_factory=dict)  # secrets met on the way
    contact: str = ""
    page: str = ""
    record: str = ""
    envelope: str = ""

    def by(self, role: str) -> CallContext:
        """Return the context of a command by a member of staff in `role`."""
        return self._context("staff", role, mint().hex)

    def visitor(self) -> CallContext:
        """Return the context of whoever holds a link."""
        return self._context("recipient", "recipient", "recipient")

    def _context(self, kind: Any, role: str, actor: str) -> CallContext:
        command_id = mint()
        return CallContext(
            command_id=command_id,
            correlation_id=command_id,
            actor_id=actor,
            actor_kind=kind,
            role=role,
        )

    def mails(self) -> list[Mail]:
        """Return the mails to the people of this story, oldest first."""
        return [m for m in self.system.mailbox.mails() if "canary" in m.recipients[0]]

    def tell(self) -> None:
        """Tell all of it."""
        self._people()
        self._letters()
        self._requests()
        self._sending()
        self._opening()
        self._by_code()
        self._after()
        self._staff()
        self._refusals()
        self._pages()

    def _people(self) -> None:
        crm = self.system.apis.crm
        done = crm.create(PERSON, self.by("sender"))
        self.contact = done.ref
        for query in ("zaverdïne", "Quillonbÿ", "zz8", "HV-99173-Q"):
            asked = SearchContacts(query=query, after=done.position)
            found = until(partial(self._shown, asked), "the person in the list")
            assert [row.contact_id for row in found.rows] == [self.contact], query
        for stopped in (True, False):
            crm.set_stop(
                SetStop(
                    contact_id=self.contact,
                    stop="messages",
                    stopped=stopped,
                    door="portal",
                    wording="v1",
                ),
                self.by("sender"),
            )
        crm.contact(GetContact(contact_id=self.contact), self.by("sender"))

    def _shown(self, asked: SearchContacts) -> ContactPage | None:
        """Return what is found once it is as new as was asked for."""
        found = self.system.apis.crm.search(asked, self.by("sender"))
        return found if found.fresh else None

    def _letters(self) -> None:
        letters, author, boss = self.system.apis.letters, "author", "executive"
        text = "{{salutation}}\n\n" + BODY + "\n\n{{request.story}}\n\n{{sender_name}}"
        draft = DraftPage(title="A plain title", body=text, answers="165100")
        letters.preview_markup(
            PreviewMarkup(title="A plain title", body=BODY), self.by(author)
        )
        self.page = letters.draft(draft, self.by(author)).ref
        submit = SubmitPage(page=self.page, revision=1)
        letters.submit(submit, self.by(author))
        back = ReturnPage(page=self.page, revision=1, reason="Please shorten it.")
        letters.return_(back, self.by(boss))
        letters.draft(replace(draft, page=self.page), self.by(author))
        letters.submit(replace(submit, revision=2), self.by(author))
        approve = ApprovePage(page=self.page, revision=2)
        done = letters.approve(approve, self.by(boss))
        letters.page(GetPage(page=self.page, after=done.position), self.by(boss))
        letters.pages(SearchPages(query="plain"), self.by(boss))

    def _requests(self) -> None:
        letters = self.system.apis.letters
        save = SaveRecord(
            page="165100",
            author_id=self.contact,
            fields={"subject": "Bill", "received": "2026-11-03", "story": STORY},
        )
        self.record = letters.save_record(save, self.by("sender")).ref
        again = replace(save, record=self.record)
        again.fields["amount"] = "12.00"
        done = letters.save_record(again, self.by("sender"))
        letters.records(
            SearchRecords(contact_id=self.contact, after=done.position),
            self.by("sender"),
        )
        seen = letters.record(GetRecord(record=self.record), self.by("sender"))
        assert STORY in repr(seen)

    def send(self, **more: Any) -> str:
        """Send the letter; return the envelope's id."""
        letter = SendLetter(
            contact_id=self.contact,
            page=self.page,
            record=self.record,
            sender_name="Ms Anna Ferris",
            **more,
        )
        return self.system.apis.envelope.send(letter, self.by("sender")).envelope_id

    def _sending(self) -> None:
        envelope = self.system.apis.envelope
        look = PreviewSend(
            contact_id=self.contact,
            page=self.page,
            record=self.record,
            sender_name="Ms Anna Ferris",
        )
        seen = envelope.preview(look, self.by("sender"))
        assert BODY in seen.html
        assert STORY in seen.html
        if self.system.core.settings.undo_window:
            undone = self.send()
            envelope.cancel(CancelSend(envelope_id=undone), self.by("sender"))
        self.envelope = self.send()

    def _opening(self) -> None:
        """Open it as people do, through the pages."""
        mail = until(self.mails, "the mail")[-1]
        token = token_of(mail)
        choices = re.search(r"/c/([a-z2-7]{32})", mail.part("plain"))
        assert choices
        self.words |= {"link token": token, "choices token": choices.group(1)}
        reader, link = Browser(), f"{self.system.viewer}/e/{token}"
        reader.get(link)
        reader.submit("Open the letter", answer=CHANGED.family)
        page = reader.submit("Open the letter", answer=PERSON.postcode)
        assert BODY in page.text, page.text
        assert STORY in page.text
        for path in (
            "letter",
            "letter/copy",
            "letter/history",
            f"c/{choices.group(1)}",
        ):
            assert reader.get(f"{self.system.viewer}/{path}").status == 200
        for place, jar in reader._cookies.items():
            self.words |= {f"{place} {name}": value for name, value in jar.items()}
        reader.close()
        public = self.system.core.apis("viewer").envelope
        wrong = OpenEnvelope(token=token, browser=BROWSER, answer=STORY)
        with suppress(DomainError):
            public.open(wrong, self.visitor())
        ticket = public.open(replace(wrong, answer=PERSON.postcode), self.visitor())
        self.words["ticket"] = ticket.ticket
        read = ReadLetter(ticket=ticket.ticket, browser=BROWSER)
        assert STORY in public.read(read, self.visitor()).html
        public.held(read, self.visitor())
        public.choices(GetChoices(token=choices.group(1)), self.visitor())
        for stopped in (True, False):
            public.choose(
                SetChoice(token=choices.group(1), stop="marketing", stopped=stopped),
                self.visitor(),
            )
        renew = RenewLink(envelope_id=self.envelope)
        self.system.apis.envelope.renew(renew, self.by("sender"))
        public.knock(Knock(token=token), self.visitor())
        public.ask_fresh(AskFresh(token=token), self.visitor())
        new = until(
            lambda: [
                m
                for m in self.mails()
                if (found := re.search(r"/e/([a-z2-7]{32})", m.part("plain")))
                and found.group(1) != token
            ],
            "the fresh link",
        )
        self.words["fresh token"] = token_of(new[-1])

    def _by_code(self) -> None:
        """Let a person of whom nothing is known open by a code."""
        crm, public = self.system.apis.crm, self.system.core.apis("viewer").envelope
        bare = CreateContact(
            given=PERSON.given,
            family=PERSON.family,
            email="canary.bare12@people.example",
        )
        contact = crm.create(bare, self.by("sender")).ref
        letter = SendLetter(
            contact_id=contact, page="165124", sender_name="Ms Anna Ferris"
        )
        self.system.apis.envelope.send(letter, self.by("sender"))
        mine = self._mail_to("canary.bare12", "/e/")
        token = self.words["code link"] = token_of(mine)
        ask = AskCode(token=token, browser=BROWSER)
        public.ask_code(ask, self.visitor())
        code = CODE.search(self._mail_to("canary.bare12", "Your code is").part("plain"))
        assert code
        self.words["code"] = code.group(1)
        answer = OpenEnvelope(token=token, browser=BROWSER, answer="000000")
        with suppress(DomainError):
            public.open(answer, self.visitor())
        public.open(replace(answer, answer=code.group(1)), self.visitor())

    def _mail_to(self, mailbox: str, word: str) -> Mail:
        return until(
            lambda: next(
                (
                    mail
                    for mail in self.system.mailbox.mails()
                    if mailbox in mail.recipients[0] and word in mail.part("plain")
                ),
                None,
            ),
            f"mail to {mailbox}",
        )

    def _after(self) -> None:
        envelope, crm = self.system.apis.envelope, self.system.apis.crm
        details = {
            name: getattr(CHANGED, name) for name in CHANGED.__dataclass_fields__
        }
        changed = ChangeContact(contact_id=self.contact, **details)
        crm.change(changed, self.by("sender"))
        past = self.system.core.clock.now() - timedelta(days=2)
        end = SetExpiry(
            envelope_id=self.envelope, expires_at=past, reason="wrong_person"
        )
        done = envelope.set_expiry(end, self.by("sender"))
        envelope.messages(
            GetMessages(contact_id=self.contact, after=done.position),
            self.by("sender"),
        )
        envelope.message(GetMessage(envelope_id=self.envelope), self.by("sender"))
        envelope.attention(GetAttention(), self.by("sender"))

    def _staff(self) -> None:
        staff = self.system.apis.staff
        invite = InviteStaff(
            formal_name=STAFF_NAME, email=STAFF_EMAIL, roles=("sender",)
        )
        who = staff.invite(invite, self.by("admin")).ref
        own = replace(self.by("sender"), actor_id=who)
        staff.set_password(SetPassword(staff_id=who, password=PASSWORD), own)
        stranger = self._context("anonymous", "anonymous", "anonymous")
        for password in (STORY, PASSWORD):
            with suppress(DomainError):
                staff.sign_in(SignIn(email=STAFF_EMAIL, password=password), stranger)
        desk = Browser()
        desk.get(f"{self.system.portal}/sign-in")
        page = desk.submit("Sign in", email=STAFF_EMAIL, password=PASSWORD)
        assert page.status == 200, page.text
        assert "/sign-in" not in page.address, page.text
        for path in (
            f"contacts?q={PERSON.postcode}",
            f"contacts/{self.contact}",
            f"messages/{self.envelope}",
            f"contacts/{PERSON.family}",
            f"nowhere/{STORY}",
        ):
            desk.get(f"{self.system.portal}/{path}")
        for place, jar in desk._cookies.items():
            self.words |= {f"{place} {name}": value for name, value in jar.items()}
        desk.close()

    def _refusals(self) -> None:
        """Put private words where none belong: refused, and not written down."""
        apis, public = self.system.apis, self.system.core.apis("viewer").envelope
        letter = SendLetter(
            contact_id=self.contact, page=self.page, sender_name="Ms Anna Ferris"
        )
        name, past = PERSON.family, self.system.core.clock.now() - timedelta(days=1)
        stop = SetStop(
            contact_id=self.contact, stop="all", stopped=True, door="portal", wording=""
        )
        end = SetExpiry(envelope_id=self.envelope, expires_at=past, reason=STORY)
        odd: list[Callable[[], object]] = [
            lambda: apis.envelope.send(replace(letter, page=name), self.by("sender")),
            lambda: apis.envelope.send(
                replace(letter, contact_id=name), self.by("sender")
            ),
            lambda: apis.envelope.send(
                replace(letter, record=STORY), self.by("sender")
            ),
            lambda: apis.envelope.renew(
                RenewLink(envelope_id=PERSON.email), self.by("sender")
            ),
            lambda: apis.envelope.set_expiry(end, self.by("sender")),
            lambda: apis.crm.set_stop(replace(stop, wording=STORY), self.by("sender")),
            lambda: apis.crm.set_stop(replace(stop, stop=name), self.by("sender")),
            lambda: apis.crm.forget(
                ForgetContact(contact_id=self.contact, reason=STORY),
                self.by("compliance"),
            ),
            lambda: apis.crm.create(replace(PERSON, kind=name), self.by("sender")),
            lambda: apis.crm.create(
                replace(PERSON, birth_date=STORY), self.by("sender")
            ),
            lambda: apis.crm.create(replace(PERSON, email=name), self.by("sender")),
            lambda: apis.letters.withdraw(
                WithdrawPage(page=name, reason="Wrong."), self.by("executive")
            ),
            lambda: apis.letters.page(GetPage(page=name), self.by("compliance")),
            lambda: apis.crm.contact(GetContact(contact_id=name), self.by("author")),
            lambda: public.knock(Knock(token=STORY), self.visitor()),
            lambda: public.open(
                OpenEnvelope(token=name, browser=BROWSER, answer=STORY), self.visitor()
            ),
            lambda: public.read(ReadLetter(ticket=STORY, browser=name), self.visitor()),
        ]
        accepted = [number for number, act in enumerate(odd) if not _refused(act)]
        assert accepted == [14]  # knocking is answered with "unknown"

    def _pages(self) -> None:
        officer = self.by("compliance")
        trail = self.system.apis.audit.trail(GetTrail(), officer)
        assert search(repr(trail).encode(), self.all_words, "trail") == []

    @property
    def all_words(self) -> dict[str, str]:
        """Return every private word and every secret met so far."""
        return {**OF_THE_PERSON, **OF_THE_HOUSE, **self.words}


def _refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except DomainError:
        return True
    return False
