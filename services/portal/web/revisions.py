"""Revisions of a page: which is shown, against which, how it looks, what changed."""

from __future__ import annotations

from services.letters.api import PageView, RevisionView
from services.letters.commands import PreviewMarkup
from services.portal.web.access import Access
from services.portal.web.apis import PortalApis
from services.portal.web.differences import Line, compare
from services.portal.web.forms import position
from services.portal.web.letter_form import merged_words
from shared.errors import DomainError
from shared.markup import merge, names_in, to_html


def compared(view: PageView) -> tuple[RevisionView, RevisionView | None]:
    """Return the revisions asked for in the query: shown, and compared with.

    Without a wish: the newest, against the approved one before it, else the last.
    """
    by_number = {revision.revision: revision for revision in view.revisions}
    newest = view.revisions[0]
    new_one = by_number.get(position("to"), newest)
    old_one = by_number.get(position("from")) or _before(view, new_one)
    return new_one, None if old_one is new_one else old_one


def _before(view: PageView, shown: RevisionView) -> RevisionView | None:
    """Return the last approved revision before `shown`, else simply the last."""
    older = [one for one in view.revisions if one.revision < shown.revision]
    approved = [one for one in older if one.decided_by and one.status != "returned"]
    return next(iter([*approved, *older]), None)


def lines_between(old: RevisionView | None, new: RevisionView) -> list[Line]:
    """Return the rows of the comparison, title first; none without an older one."""
    if old is None:
        return []
    return [*compare(f"{old.title}\n{old.body}", f"{new.title}\n{new.body}")]


def looked(apis: PortalApis, access: Access, revision: RevisionView) -> str:
    """Return a revision as safe HTML, what is merged for each person marked.

    Who may ask for sample values sees them, everybody else what will stand there; ""
    for a text that cannot be laid out.
    """
    try:
        if not access.may("letters", "preview_markup"):
            text = to_html(revision.body)
            named = {name: f"[{merged_words(name)}]" for name in names_in(text)}
            return merge(text, named, mark_values=True)[0]
        request_ = PreviewMarkup(title=revision.title, body=revision.body)
        context = access.context("letters", "preview_markup")
        return apis.letters.preview_markup(request_, context).html
    except DomainError:
        return ""
