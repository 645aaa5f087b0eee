"""The life of a page: drafted, submitted, approved or returned, withdrawn.

Each function turns a request into the facts it causes, or refuses.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.letters.commands import (
    ApprovePage,
    IssueLetter,
    ReturnPage,
    SubmitPage,
    WithdrawPage,
)
from services.letters.errors import (
    AuthorCannotApprove,
    LetterInvalid,
    LetterIsWithdrawn,
    NotSubmitted,
    SecretNotOffered,
)
from services.letters.events import (
    LetterApproved,
    LetterDrafted,
    LetterIssued,
    LetterReturned,
    LetterSubmitted,
    LetterWithdrawn,
)
from services.letters.model.draft import Written
from services.letters.model.form import retyped, to_json
from services.letters.model.page import Page, Revision, hash_of, in_force, known
from services.letters.model.text import REASON, line
from shared.events import Event

PURPOSES: Final = frozenset({"service", "marketing"})
OFFERED: Final = frozenset({"open", "private"})
SECRET: Final = "secret"  # noqa: S105  # a class of letters, not a password


def draft(page: Page, number: str, written: Written, author_id: str) -> list[Event]:
    """Write the first revision of `number`, or the next one.

    Raises:
        LetterIsWithdrawn: the page's life is over.
        LetterInvalid: a letter does not turn into a form, nor a quotation into a typed
            field.
    """
    if page.withdrawn:
        raise LetterIsWithdrawn
    before = page.newest
    if before and before.page_type != written.page_type:
        message = f"Page {number} is a {before.page_type} and stays one."
        raise LetterInvalid(message)
    changed = retyped(written.form, page.field_types)
    if changed:
        message = f"These fields keep the type they had: {', '.join(changed)}."
        raise LetterInvalid(message)
    revision = Revision(
        page=number,
        number=before.number + 1 if before else 1,
        page_type=written.page_type,
        title=written.title,
        body=written.body,
        kind=written.kind,
        answers=written.answers,
        form=written.form,
        author_id=author_id,
        letter_hash="",
    )
    return [
        LetterDrafted(
            page=number,
            revision=revision.number,
            page_type=revision.page_type,
            title=revision.title,
            body=revision.body,
            kind=revision.kind,
            answers=revision.answers,
            form=to_json(revision.form),
            letter_hash=hash_of(revision),
            author_id=author_id,
        )
    ]


def submittable(page: Page, request: SubmitPage) -> Revision:
    """Return the revision to be submitted.

    Raises:
        PageUnknown: there is no such page.
        LetterIsWithdrawn: its life is over.
        LetterInvalid: not the newest revision, or not a draft any more.
    """
    newest = known(page)
    if page.withdrawn:
        raise LetterIsWithdrawn
    if newest.number != request.revision or page.status != "draft":
        message = "Only the newest revision, still a draft, can be submitted. Reload."
        raise LetterInvalid(message)
    return newest


def submit(page: Page, request: SubmitPage) -> list[Event]:
    """Ask for approval; its text is checked by the caller. Raises as `submittable`."""
    revision = submittable(page, request)
    return [LetterSubmitted(page=revision.page, revision=revision.number)]


def approve(
    page: Page, request: ApprovePage, approver_id: str, at: datetime
) -> list[Event]:
    """Put the submitted revision in force.

    Raises:
        PageUnknown, LetterIsWithdrawn, NotSubmitted: nothing waits for approval.
        AuthorCannotApprove: the approver wrote this revision.
        SecretNotOffered: class secret.
        LetterInvalid: there is no such class or purpose.
    """
    revision = _submitted(page, request.revision)
    if not revision.author_id or revision.author_id == approver_id:
        raise AuthorCannotApprove
    if request.letter_class == SECRET:
        raise SecretNotOffered
    if request.letter_class not in OFFERED or request.purpose not in PURPOSES:
        message = "The class is open or private, the purpose service or marketing."
        raise LetterInvalid(message)
    return [
        LetterApproved(
            page=revision.page,
            revision=revision.number,
            letter_class=request.letter_class,
            purpose=request.purpose,
            fact_required=request.fact_required,
            letter_hash=revision.letter_hash,
            approver_id=approver_id,
            approved_at=at,
        )
    ]


def return_(page: Page, request: ReturnPage) -> list[Event]:
    """Send the submitted revision back. Raises as `approve`, LetterInvalid: reason."""
    revision = _submitted(page, request.revision)
    return [
        LetterReturned(
            page=revision.page,
            revision=revision.number,
            comment=_reason(request.reason),
        )
    ]


def withdraw(page: Page, request: WithdrawPage) -> list[Event]:
    """Stop new sends.

    Raises:
        PageUnknown: there is no such page.
        LetterIsWithdrawn: it was withdrawn already.
        LetterNotApproved: it was never in force.
        LetterInvalid: no reason.
    """
    approval = in_force(page)
    return [
        LetterWithdrawn(page=approval.revision.page, comment=_reason(request.reason))
    ]


def issue(page: Page, request: IssueLetter, record_revision: int | None) -> list[Event]:
    """Record that the revision in force was merged. Raises as `in_force`."""
    revision = in_force(page).revision
    return [
        LetterIssued(
            page=revision.page,
            revision=revision.number,
            letter_hash=revision.letter_hash,
            contact_id=request.contact_id,
            envelope_id=request.envelope_id,
            record_revision=record_revision,
        )
    ]


def _submitted(page: Page, number: int) -> Revision:
    newest = known(page)
    if page.withdrawn:
        raise LetterIsWithdrawn
    if page.status != "submitted" or newest.number != number:
        raise NotSubmitted
    return newest


def _reason(text: str) -> str:
    reason = line(text, REASON)
    if reason is None:
        message = "Give a reason in one line of 3 to 500 characters."
        raise LetterInvalid(message)
    return reason
