"""A viewer over a scripted envelope service: every state a recipient can meet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from flask import Flask

from services.audit.api import TrailLine
from services.envelope.api import Choices, Door, Held, Letter, Organisation, Ticket
from services.envelope.commands import (
    AskCode,
    AskFresh,
    GetChoices,
    GetOrganisation,
    Knock,
    OpenEnvelope,
    ReadLetter,
    SetChoice,
)
from services.envelope.errors import AnswerWrong, EnvelopeDisabled, TicketInvalid
from services.viewer.web import ViewerApis, build_viewer_app
from shared.clock import ManualClock
from shared.context import CallContext, Done
from shared.web.settings import WebSettings

NOW = datetime(2026, 11, 25, 14, 5, tzinfo=UTC)
BASE = "http://localhost:8401"
TOKEN = "abcdefghijklmnopqrstuvwxyz234567"
ORGANISATION = Organisation(
    name="Harbour & Vale Water",
    registered_number="00000000",
    registered_office="1 Quay Street, Exampleton, ZZ1 9ZZ",
    help_phone="01632 960100",
    sender_domain="harbourvale.example",
    privacy_url="https://www.harbourvale.example/privacy",
)
OPEN = Door(
    state="open",
    organisation=ORGANISATION,
    initials="T. J.",
    check="postcode",
    expires_at=NOW + timedelta(days=7),
    reference="4821-7730",
)
LETTER = Letter(
    envelope_id="e" * 32,
    contact_id="c" * 32,
    title="Complaint acknowledged",
    html="<p>Dear Mr Tom Jones</p><p>Thank you for telling us what went wrong.</p>"
    "<h2>What happens next</h2><ol><li>A person reads it.</li></ol>",
    kind="note",
    formal_name="Mr Tom Jones",
    sender_name="Ms Anna Ferris",
    page="165104",
    revision=1,
    approved_at=NOW - timedelta(days=30),
    accepted_at=NOW,
    expires_at=NOW + timedelta(days=7),
    reference="4821-7730",
    letter_hash="ab" * 32,
    organisation=ORGANISATION,
)


class ScriptedEnvelope:
    """Answers as it is told to, and remembers what was asked."""

    def __init__(self) -> None:
        self.door = OPEN
        self.letter_shut = False
        self.asked: list[object] = []
        self.stops: tuple[str, ...] = ("marketing",)

    def organisation(
        self, request: GetOrganisation, context: CallContext
    ) -> Organisation:
        return ORGANISATION

    def knock(self, request: Knock, context: CallContext) -> Door:
        self.asked.append((request, context.actor_kind))
        if request.token != TOKEN:
            return Door(state="unknown", organisation=ORGANISATION)
        return self.door

    def open(self, request: OpenEnvelope, context: CallContext) -> Ticket:
        self.asked.append(request)
        if request.answer != "zz1 1aa":
            raise AnswerWrong("That does not match; 4 tries left.")
        return Ticket(ticket="t.1.x", envelope_id="e" * 32, expires_at=NOW)

    def ask_code(self, request: AskCode, context: CallContext) -> Done:
        self.asked.append(request)
        return Done(position=1)

    def ask_fresh(self, request: AskFresh, context: CallContext) -> Done:
        self.asked.append(request)
        return Done(position=1)

    def read(self, request: ReadLetter, context: CallContext) -> Letter:
        if self.letter_shut:
            raise EnvelopeDisabled
        if request.ticket != "t.1.x":
            raise TicketInvalid
        return LETTER

    def held(self, request: ReadLetter, context: CallContext) -> Held:
        if request.ticket != "t.1.x":
            raise TicketInvalid
        return Held(
            envelope_id="e" * 32,
            reference="4821-7730",
            organisation=ORGANISATION,
            trail=a_trail(),
        )

    def choices(self, request: GetChoices, context: CallContext) -> Choices:
        state = "open" if request.token == TOKEN else "unknown"
        return Choices(
            state=state,
            organisation=ORGANISATION,
            stops=self.stops,
            masked_email="t•••@people.example",
        )

    def choose(self, request: SetChoice, context: CallContext) -> Done:
        self.asked.append(request)
        return Done(position=1)


def a_trail() -> tuple[TrailLine, ...]:
    """Return one of each fact that a recipient is shown."""
    line = TrailLine(
        position=1, event_id="x", event="EnvelopeSent", schema=1, etsi=None, at=NOW,
        contact=None, envelope="e" * 32, actor="a", actor_kind="staff",
        role="sender", reason=None, grade=None, means=None, page=None,
        revision=None, letter_hash=None, rendition=None, digest="", contact_seq=1,
        detail=None,
    )  # fmt: skip
    later = NOW + timedelta(minutes=3)
    return (
        line,
        replace(line, event="SendPermitted", actor_kind="service"),
        replace(line, event="EnvelopeRelayed", actor_kind="service", at=later),
        replace(line, event="LinkFetched", actor_kind="anonymous", at=later),
        replace(
            line,
            event="EnvelopeViewed",
            actor_kind="recipient",
            at=later,
            grade=3,
            means="postcode",
        ),
    )


def a_viewer() -> tuple[Flask, ScriptedEnvelope]:
    """Return the viewer's app and what it talks to."""
    envelope = ScriptedEnvelope()
    app = build_viewer_app(
        ViewerApis(envelope=envelope),  # type: ignore[arg-type]
        settings=WebSettings(site="viewer", base_url=BASE),
        clock=ManualClock(NOW),
    )
    return app, envelope
