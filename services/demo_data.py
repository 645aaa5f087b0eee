"""The demo organisation: plainly fictional people, pages and requests.

Everything enters by the same gates as in real use, each act by the person whose work it
is. Running it again after a kill finishes what is missing and doubles nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.crm.api import CrmApi
from services.crm.commands import CreateContact
from services.envelope.api import EnvelopeApi
from services.envelope.commands import DescribeOrganisation
from services.letters.api import LettersApi
from services.letters.commands import (
    ApprovePage,
    DraftPage,
    FormField,
    SaveRecord,
    SubmitPage,
)
from services.portal.api import StaffApi
from services.portal.commands import InviteStaff, SetPassword
from shared.context import CallContext
from shared.ids import derived

ORGANISATION: Final = DescribeOrganisation(
    name="Harbour & Vale Water",
    registered_number="00000000",
    registered_office="1 Quay Street, Exampleton, ZZ1 9ZZ",
    help_phone="01632 960100",
    sender_domain="harbourvale.example",
    privacy_url="https://www.harbourvale.example/privacy",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoStaff:
    """A member of staff of the demo, and their one role."""

    key: str
    formal_name: str
    role: str

    @property
    def email(self) -> str:
        """Return the address they sign in with."""
        return f"{self.key}@harbourvale.example"


STAFF: Final = (
    DemoStaff(key="anna", formal_name="Ms Anna Ferris", role="sender"),
    DemoStaff(key="ben", formal_name="Mr Ben Okoro", role="author"),
    DemoStaff(key="carol", formal_name="Mrs Carol Whitmore", role="executive"),
    DemoStaff(key="dev", formal_name="Mr Dev Chandra", role="compliance"),
    DemoStaff(key="ada", formal_name="Ms Ada Quill", role="admin"),
)


def _person(
    title: str,
    given: str,
    family: str,
    mailbox: str,
    postcode: str = "",
    reference: str = "",
    birth_date: str = "",
    kind: str = "customer",
    company: str = "",
) -> CreateContact:
    return CreateContact(
        kind=kind,
        title=title,
        given=given,
        family=family,
        email=f"{mailbox}@people.example",
        postcode=postcode,
        customer_reference=reference,
        birth_date=birth_date,
        company=company,
    )


PEOPLE: Final = {
    "tom": _person("Mr", "Tom", "Jones", "tom.jones", "ZZ1 1AA", "HV-10231"),
    "tomas": _person("Mr", "Tomas", "Jones", "tomas.jones", "ZZ9 4QT", "HV-20775"),
    "edith": _person("Mrs", "Edith", "Holloway", "edith.holloway"),
    "priya": _person(
        "Ms",
        "Priya",
        "Ramanan",
        "priya.ramanan",
        "ZZ4 2PP",
        "SUP-118",
        kind="supplier",
        company="Northgate Paper Supplies",
    ),
    "owen": _person(
        "Mr", "Owen", "Blakely", "owen.blakely", reference="STF-014", kind="staff"
    ),
    "amarani": _person("", "Amarani", "", "amarani", "ZZ3 7LD", "HV-30412"),
    "harriet": _person(
        "Ms", "Harriet", "Ashworth-Okafor", "harriet.ashworth", "ZZ2 5RT", "HV-11876"
    ),
    "lin": _person("Ms", "美雨", "林", "lin.meiyu", "ZZ6 1QA", "HV-40190"),
    "olga": _person("", "Ольга", "Лесная", "olga.lesnaya", reference="HV-40233"),
    "sean": _person("Mr", "Sean", "O'Farrelly", "sean.ofarrelly", "ZZ7 8HN"),
    "ingrid": _person(
        "Dr", "Ingrid", "Sørensen-Vale", "ingrid.vale", birth_date="1971-06-14"
    ),
    "robin": _person("Mx", "Robin", "Penhallow", "robin.penhallow", "ZZ5 3DW"),
    "digby": _person(
        "Sir", "Digby", "Fernsby", "digby.fernsby", birth_date="1948-11-02"
    ),
    "nadia": _person("Mrs", "Nadia", "Al-Khatib", "nadia.alkhatib", "", "HV-51007"),
}

COMPLAINT: Final = "165100"
ACKNOWLEDGED: Final = "165104"
TARIFF: Final = "165110"

COMPLAINT_FORM: Final = (
    FormField(
        name="subject",
        label="What it is about",
        type="choice",
        choices=("Bill", "Supply", "Meter", "Visit", "Something else"),
    ),
    FormField(name="received", label="Received on", type="date"),
    FormField(name="amount", label="Amount in question", type="money", required=False),
    FormField(name="story", label="In your own words", type="quotation"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPage:
    """A page of the demo, and how far it got."""

    draft: DraftPage
    submitted: bool = True
    approved: bool = True
    letter_class: str = "private"
    purpose: str = "service"
    fact_required: bool = False


def _letter(number: str, title: str, *body: str, kind: str = "note") -> DraftPage:
    return DraftPage(
        number=number,
        title=title,
        body="\n\n".join(("{{salutation}}", *body)),
        kind=kind,
    )


PAGES: Final = (
    DemoPage(
        draft=DraftPage(
            number=COMPLAINT,
            page_type="form",
            title="Complaint",
            kind="workflow",
            body="These are the details of your complaint as we recorded them.",
            form=COMPLAINT_FORM,
        )
    ),
    DemoPage(
        draft=DraftPage(
            number=ACKNOWLEDGED,
            title="Complaint acknowledged",
            answers=COMPLAINT,
            body=(
                "{{salutation}}\n\n"
                "Thank you for telling us what went wrong. We received your complaint "
                "on {{request.received}} and gave it the number "
                "**{{request.number}}**.\n\n"
                "## What happens next\n\n"
                "1. A person who was not involved reads your complaint.\n"
                "2. We answer you in full within **five working days**.\n"
                "3. If we need longer, we tell you why and by when.\n\n"
                "You do not need to do anything now. Please keep the number at hand if "
                "you call us.\n\n"
                "Yours sincerely,\n\n"
                "{{sender_name}}  \n{{organisation}}"
            ),
        )
    ),
    DemoPage(
        draft=_letter(
            TARIFF,
            "Change of tariff",
            "From the first day of next quarter the standing charge of your tariff "
            "changes. Your unit price stays as it is.",
            "Yours sincerely,",
            "{{sender_name}}  \n{{organisation}}",
        ),
        submitted=False,
        approved=False,
    ),
    DemoPage(
        draft=_letter(
            "165120",
            "Welcome to your account",
            "Your account is open. You can ask us anything by telephone, on weekdays "
            "from 8 am to 6 pm.",
            "Yours sincerely,",
            "{{sender_name}}  \n{{organisation}}",
        ),
        letter_class="open",
    ),
    DemoPage(
        draft=_letter(
            "165124",
            "Please read your meter",
            "It is a year since we last read your meter. Please read it by the end of "
            "next week and keep the figures for our call.",
            "Yours sincerely,",
            "{{sender_name}}  \n{{organisation}}",
            kind="task",
        ),
    ),
    DemoPage(
        draft=_letter(
            "165128",
            "Payment plan agreed",
            "We agreed to spread what is owed on your account. The dates and amounts "
            "are those we settled with you.",
            "If anything changes for you, tell us before the next date and we will "
            "look at it again together.",
            "Yours sincerely,",
            "{{sender_name}}  \n{{organisation}}",
        ),
        fact_required=True,
    ),
    DemoPage(
        draft=_letter(
            "165132",
            "Supplier terms renewed",
            "Our terms of purchase are renewed for another year without change.",
            "Yours sincerely,",
            "{{sender_name}}  \n{{organisation}}",
        ),
    ),
    DemoPage(
        draft=_letter(
            "165136",
            "Save water this summer",
            "Six small habits save a household a bath of water each day. The list is "
            "on our website, or call us and we will post it to you.",
            "{{sender_name}}  \n{{organisation}}",
        ),
        letter_class="open",
        purpose="marketing",
    ),
    DemoPage(
        draft=_letter(
            "165140",
            "Planned interruption of supply",
            "We renew the main in your street and your supply is off for one morning. "
            "We come back to you with the exact day.",
            "Yours sincerely,",
            "{{sender_name}}  \n{{organisation}}",
        ),
        approved=False,
    ),
)

REQUESTS: Final = (
    (
        "165100-204817",
        "tom",
        {
            "subject": "Bill",
            "received": "2026-11-03",
            "amount": "48.20",
            "story": "The bill counts the same week twice.",
        },
    ),
    (
        "165100-204911",
        "tom",
        {
            "subject": "Visit",
            "received": "2026-11-17",
            "story": "Nobody came on the day that was promised.",
        },
    ),
    (
        "165100-205306",
        "edith",
        {
            "subject": "Supply",
            "received": "2026-11-19",
            "story": "The pressure drops each evening after six.",
        },
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoIds:
    """Who and what the demo organisation consists of."""

    staff: dict[str, str]  # key -> staff id
    contacts: dict[str, str]  # key -> contact id


class DemoOrganisation:
    """Enters the demo organisation through the gates of four services."""

    def __init__(
        self,
        *,
        staff: StaffApi,
        crm: CrmApi,
        letters: LettersApi,
        envelope: EnvelopeApi,
        seed: UUID,
    ) -> None:
        """Derive every id from `seed`, kept with the data, so that repeats agree."""
        self._staff = staff
        self._crm = crm
        self._letters = letters
        self._envelope = envelope
        self._seed = seed

    def enter(self) -> DemoIds:
        """Enter everything that is not there yet, and say what is there."""
        staff = {person.key: self._invite(person) for person in STAFF}

        def by(key: str, act: str) -> CallContext:
            role = next(person.role for person in STAFF if person.key == key)
            return self._context(act, actor=staff[key], kind="staff", role=role)

        self._envelope.describe(ORGANISATION, by("ada", "organisation"))
        contacts = {
            key: self._crm.create(person, by("anna", f"contact {key}")).ref
            for key, person in PEOPLE.items()
        }
        for page in PAGES:
            number = str(page.draft.number)
            self._letters.draft(page.draft, by("ben", f"draft {number}"))
            if page.submitted:
                self._letters.submit(
                    SubmitPage(page=number, revision=1), by("ben", f"submit {number}")
                )
            if page.approved:
                self._letters.approve(
                    ApprovePage(
                        page=number,
                        revision=1,
                        letter_class=page.letter_class,
                        purpose=page.purpose,
                        fact_required=page.fact_required,
                    ),
                    by("carol", f"approve {number}"),
                )
        for key, author, fields in REQUESTS:
            self._letters.save_record(
                SaveRecord(
                    page=COMPLAINT,
                    number=key,
                    author_id=contacts[author],
                    fields=dict(fields),
                ),
                by("anna", f"record {key}"),
            )
        return DemoIds(staff=staff, contacts=contacts)

    def set_password(self, staff_id: str, role: str, password: str) -> None:
        """Choose a password for one of them, as that person."""
        self._staff.set_password(
            SetPassword(staff_id=staff_id, password=password),
            self._context(
                f"password {staff_id}", actor=staff_id, kind="staff", role=role
            ),
        )

    def _invite(self, person: DemoStaff) -> str:
        return self._staff.invite(
            InviteStaff(
                formal_name=person.formal_name,
                email=person.email,
                roles=(person.role,),
            ),
            self._context(f"invite {person.key}", actor="operator", kind="service"),
        ).ref

    def _context(
        self, act: str, *, actor: str, kind: str, role: str = "service"
    ) -> CallContext:
        command_id = derived(self._seed, act)
        return CallContext(
            command_id=command_id,
            correlation_id=command_id,
            actor_id=actor,
            actor_kind="staff" if kind == "staff" else "service",
            role=role,
        )
