"""Letters and forms: the list, the editor, a page with its revisions."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from services.letters.api import PageView
from services.letters.commands import (
    FormField,
    GetPage,
    SearchPages,
    SubmitPage,
)
from services.letters.errors import LetterInvalid, PageUnknown
from services.portal.web import letter_form
from services.portal.web.access import Access
from services.portal.web.apis import PortalApis
from services.portal.web.forms import ActForm, position
from services.portal.web.letter_form import FormPageForm, LetterForm
from services.portal.web.places import PAGE
from services.portal.web.revisions import compared, lines_between, looked
from shared.clock import Clock
from shared.context import Done
from shared.errors import DomainError
from shared.web.drafts import Draft, show_again
from shared.web.frame import leave_notice

STATUSES: Final = ("", "draft", "submitted", "approved", "withdrawn")
TYPES: Final = ("", "letter", "form")


def letter_pages(apis: PortalApis, access: Access, clock: Clock) -> Blueprint:
    """Build the pages of whoever writes or reads letters."""
    pages = Blueprint("letters", __name__, template_folder="templates")

    def look_up(page: str) -> PageView:
        return apis.letters.page(
            GetPage(page=page, after=position()), access.context("letters", "page")
        )

    def answered(number: str) -> tuple[FormField, ...]:
        """Return the fields of the form that a letter answers, for its placeholders."""
        if not PAGE.match(number or ""):
            return ()
        try:
            return look_up(number).form
        except PageUnknown:
            return ()

    def offer(form: LetterForm) -> list[tuple[str, str]]:
        return letter_form.placeholders(answered(form.answers.data))

    def look(form: LetterForm, offered: list[tuple[str, str]]) -> dict[str, object]:
        """Return how the text looks, or what is wrong with it, and unknown details."""
        if not form.body.data:
            return {"rendition": None, "problem": "", "unknown": []}
        try:
            rendition = apis.letters.preview_markup(
                letter_form.markup(form), access.context("letters", "preview_markup")
            )
        except DomainError as refusal:
            return {"rendition": None, "problem": str(refusal), "unknown": []}
        known = {code.strip("{}") for code, _words in offered}
        unknown = [gap for gap in rendition.gaps if gap.strip("{}") not in known]
        return {
            "rendition": rendition,
            "title": form.title.data,
            "problem": "",
            "unknown": unknown,
        }

    def editor(form: LetterForm, page: PageView | None) -> str:
        offered = offer(form)
        return render_template(
            "portal/letter_edit.html",
            form=form,
            page=page,
            rows=form.rows() if isinstance(form, FormPageForm) else 0,
            placeholders=offered,
            **look(form, offered),
        )

    def save(form: LetterForm, page: PageView | None) -> Response | None:
        """Keep a revision, and submit it if asked; None if nothing could be kept."""
        number = page.row.page if page else None
        context = access.context("letters", "draft", form.command())
        try:
            done = apis.letters.draft(letter_form.draft(form, number), context)
        except LetterInvalid as refusal:
            form.blame("body", str(refusal))
            return None
        place = url_for("letters.show", page=done.ref, after=done.position)
        if form.act.data != "submit":
            return leave_notice(redirect(place, 303), "letter_saved")
        try:
            submitted = hand_in(done, form)
        except DomainError as refusal:
            form.blame("body", f"The draft is kept, but not submitted. {refusal}")
            return form.again(
                url_for("letters.edit", page=done.ref, after=done.position)
            )
        place = url_for("letters.show", page=done.ref, after=submitted.position)
        return leave_notice(redirect(place, 303), "letter_submitted")

    def hand_in(done: Done, form: ActForm) -> Done:
        """Submit the revision that the draft just made."""
        context = access.context("letters", "submit", form.command()).step("submit")
        return apis.letters.submit(
            SubmitPage(page=done.ref, revision=after(done).row.revision), context
        )

    def after(done: Done) -> PageView:
        """Return the page as the draft left it."""
        request_ = GetPage(page=done.ref, after=done.position)
        return apis.letters.page(request_, access.context("letters", "page"))

    @pages.get("/letters")
    def index() -> str:
        """List letters and forms, filtered."""
        given = request.args
        status = given.get("status", "")
        page_type = given.get("type", "")
        found = apis.letters.pages(
            SearchPages(
                query=given.get("q", "")[:100],
                status=status if status in STATUSES else "",
                page_type=page_type if page_type in TYPES else "",
                limit=50,
                after=position(),
            ),
            access.context("letters", "pages"),
        )
        return render_template(
            "portal/letters.html",
            found=found,
            query=given.get("q", "")[:100],
            status=status,
            page_type=page_type,
            names=access.names(),
        )

    @pages.route("/letters/new", methods=["GET", "POST"])
    def new() -> str | Response:
        """Write a new page."""
        asked = request.form if request.method == "POST" else request.args
        kind = asked.get("page_type", asked.get("type", ""))
        form_class = FormPageForm if kind == "form" else LetterForm
        first = {"body": "{{salutation}}\n\n", "kind": "note", "page_type": "letter"}
        if kind == "form":
            first = {"kind": "workflow", "page_type": "form"}
        form = form_class.read(**first)
        if form.act.data != "preview" and form.accepted():
            answer = save(form, None)
            if answer is not None:
                return answer
        if form.posted():
            return form.again(url_for("letters.new", type=kind or None))
        return editor(form, None)

    @pages.route("/letters/<page>/edit", methods=["GET", "POST"])
    def edit(page: str) -> str | Response:
        """Write a new revision of a page."""
        view = look_up(page)
        is_form = view.row.page_type == "form"
        form_class = FormPageForm if is_form else LetterForm
        form = form_class.read(**letter_form.values(view))
        if form.act.data != "preview" and form.accepted():
            answer = save(form, view)
            if answer is not None:
                return answer
        return form.again() if form.posted() else editor(form, view)

    @pages.post("/letters/preview")
    def preview() -> str:
        """Return the merged look of the text being written, as a fragment."""
        kind = request.form.get("page_type", "")
        form = (FormPageForm if kind == "form" else LetterForm).read()
        return render_template("portal/_draft.html", **look(form, offer(form)))

    @pages.get("/letters/<page>")
    def show(page: str) -> str:
        """Show the page: preview, state, revisions, and what changed between two."""
        view = look_up(page)
        new_one, old_one = compared(view)
        return render_template(
            "portal/letter.html",
            view=view,
            row=view.row,
            newest=view.revisions[0],
            rendition=looked(apis, access, new_one),
            new_one=new_one,
            old_one=old_one,
            lines=lines_between(old_one, new_one),
            names=access.names(),
            now=clock.now(),
        )

    @pages.post("/letters/<page>/submit")
    def submit(page: str) -> Response:
        """Ask for approval of the newest revision."""
        form = SubmitForm.read()
        view = look_up(page)
        try:
            done = apis.letters.submit(
                SubmitPage(page=page, revision=view.row.revision),
                access.context("letters", "submit", form.command()),
            )
        except LetterInvalid as refusal:
            wrong = Draft(values=(), errors={"body": [str(refusal)]})
            return show_again(wrong, url_for("letters.edit", page=page))
        place = url_for("letters.show", page=page, after=done.position)
        return leave_notice(redirect(place, 303), "letter_submitted")

    return pages


class SubmitForm(ActForm):
    """Nothing but the press."""
