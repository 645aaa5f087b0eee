"""The form of a contact's details, the form of their choices, and the erasing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from typing_extensions import override

from services.crm.api import ContactView
from services.crm.commands import ChangeContact, CreateContact
from services.portal.web.forms import ActForm
from services.portal.web.words import CONTACT_KINDS
from shared.errors import DomainError
from shared.web.forms import boxes, day, radios, text, tick

WORDING: Final = "portal-choices-1"  # version of the words of `ChoicesForm`
ERASURES: Final[Mapping[str, str]] = {
    "person_asked": "The person asked to be forgotten",
    "entered_twice": "The person was entered twice",
    "no_longer_needed": "We have no reason to keep the person any more",
}
LABELS: Final[Mapping[str, str]] = {  # how a refusal begins -> the field it is about
    "Kind": "kind",
    "Title": "title",
    "Given name": "given",
    "Family name": "family",
    "Name": "family",
    "Formal name": "formal_name",
    "Salutation": "salutation",
    "E-mail address": "email",
    "Postcode": "postcode",
    "Date of birth": "birth_date",
    "Customer reference": "customer_reference",
    "Company": "company",
}


class ContactForm(ActForm):
    """A person's details, as the contacts service takes them."""

    kind = radios(
        "Kind of contact", list(CONTACT_KINDS.items()), required="Choose the kind"
    )
    title = text("Title", hint="For example Mr, Ms, Dr. Leave empty if they use none.")
    given = text("Given name", hint="As the person writes it")
    family = text("Family name", hint="Leave empty for a person with one name")
    formal_name = text(
        "Formal name",
        hint="Made from title and names when left empty: Mr Tom Jones",
    )
    salutation = text(
        "Salutation",
        hint="Made from the formal name when left empty: Dear Mr Tom Jones",
    )
    email = text("E-mail address", required="Enter the e-mail address")
    postcode = text("Postcode", hint="The recipient can be asked for it at the door")
    birth_date = day("Date of birth", hint="For example 14 6 1971")
    customer_reference = text("Customer reference", hint="For example HV-10231")
    company = text("Company")

    @override
    def accepted(self) -> bool:
        """As every form; besides, a person has at least one name."""
        in_order = super().accepted()
        if self.posted() and not (self.given.data or self.family.data):
            self.blame("given", "Enter the given name, the family name, or both")
            return False
        return in_order


class ChoicesForm(ActForm):
    """The three stops. What is ticked holds; what is not is lifted."""

    stops = boxes(
        "This person asked for",
        [
            ("marketing", "No marketing"),
            ("messages", "No envelopes by e-mail or text message"),
            ("all", "No contact at all, whatever the matter"),
        ],
    )
    told = radios(
        "How they told us",
        [
            ("telephone", "By telephone"),
            ("letter", "By letter"),
            ("in_person", "In person"),
        ],
        required="Choose how they told us",
    )


class EraseForm(ActForm):
    """Erasing a person, with a reason and a tick."""

    reason = radios("Reason", list(ERASURES.items()), required="Choose the reason")
    sure = tick(
        "I have checked that the person may be erased",
        required="Tick that you have checked",
    )


def creation(form: ContactForm) -> CreateContact:
    """Return the command that the form asks for."""
    return CreateContact(**_details(form))


def change(contact_id: str, form: ContactForm) -> ChangeContact:
    """Return the command that replaces a contact's details by the form's."""
    return ChangeContact(contact_id=contact_id, **_details(form))


def values(contact: ContactView) -> dict[str, object]:
    """Return what stands in the form at first; made-up names stay made up."""
    born = contact.birth_date
    return {
        "kind": contact.kind,
        "title": contact.title,
        "given": contact.given,
        "family": contact.family,
        "formal_name": contact.formal_name,
        "salutation": contact.salutation,
        "email": contact.email,
        "postcode": contact.postcode,
        "birth_date": date.fromisoformat(born) if born else None,
        "customer_reference": contact.customer_reference,
        "company": contact.company,
    }


def _details(form: ContactForm) -> dict[str, str]:
    born = form.birth_date.data
    return {
        "kind": form.kind.data,
        "title": form.title.data,
        "given": form.given.data,
        "family": form.family.data,
        "formal_name": form.formal_name.data,
        "salutation": form.salutation.data,
        "email": form.email.data,
        "postcode": form.postcode.data,
        "birth_date": born.isoformat() if born else "",
        "customer_reference": form.customer_reference.data,
        "company": form.company.data,
    }


def blame(form: ContactForm, refusal: DomainError) -> None:
    """Put the refusal at the field it names, else at the first name."""
    label, colon, _rest = str(refusal).partition(":")
    field = LABELS.get(label, "family") if colon else "family"
    form.blame(field, str(refusal))
